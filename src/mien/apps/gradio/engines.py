"""The engines: one for each model that was asked for, loaded once and shared by all who read."""

from __future__ import annotations

import threading

from mien.engine import Engine
from mien.errors import ModelMissing, suggest_name
from mien.models import ModelCard, available_models, resolve_model


class Engines:
    """``engine`` is the caller's own, and then the only one; without it the first is loaded at once."""

    def __init__(self, engine: Engine | None = None, model: str = "base", detector: str = "auto") -> None:
        self._lock = threading.Lock()
        self._detector = detector
        # What is missing is said before the page stands.
        first = engine or Engine.load(model, detector)
        self.default = first.card.name
        self._known = {self.default: first}
        named = () if engine else available_models()
        self.names: tuple[str, ...] = tuple(dict.fromkeys([self.default, *named]))

    def get(self, model: str | None = None) -> Engine:
        """The engine for a model, the usual one where none is named. They are names: nobody's request names a path."""
        name = model or self.default
        if name not in self.names:
            known = ", ".join(self.names)
            raise ModelMissing(
                f"There is no model '{name}' here", f"Expected one of {known}", suggest_name(name, self.names)
            )
        with self._lock:
            if name not in self._known:
                self._known[name] = Engine.load(name, self._detector)
            return self._known[name]

    def cards(self) -> dict[str, ModelCard]:
        """Every model's card, the usual one first; none is loaded for that."""
        return {name: self._known[name].card if name in self._known else _card(name) for name in self.names}


def _card(name: str) -> ModelCard:
    return ModelCard.read(resolve_model(name))
