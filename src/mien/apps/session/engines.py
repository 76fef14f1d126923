"""Engines by model and detector, each loaded once and shared by all threads of a window."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from threading import RLock
from typing import Protocol

from mien.engine import Engine
from mien.errors import DetectorError, ModelMissing, suggest_name
from mien.faces.detectors import detector_names
from mien.models import ModelCard, available_models, resolve_model


class EngineLoader(Protocol):
    """Makes an engine for the names of a model and of a detector; :meth:`mien.Engine.load` is one."""

    def __call__(self, *, model: str, detector: str) -> Engine: ...


class EngineCache:
    """Engines, loaded when they are first requested.

    ``engine`` is the caller's own engine: it answers for the default model with the default detector and is never
    removed. Without it the default is ``model``, a name or a path. ``models`` are the names that may be requested
    besides the default; None means every installed model, or no other where ``engine`` is passed. Requests name
    models, never paths: a path can only be the default. ``limit`` is the number of loaded engines that are kept in
    memory; the one that was not used for the longest time is removed first.
    """

    def __init__(
        self,
        engine: Engine | None = None,
        *,
        model: str = "base",
        detector: str = "auto",
        models: Iterable[str] | None = None,
        load: EngineLoader = Engine.load,
        limit: int | None = None,
    ) -> None:
        self._engine, self._load, self._limit = engine, load, limit
        self._lock = RLock()
        self._engines: OrderedDict[tuple[str, str], Engine] = OrderedDict()
        #: The model and the detector that are used where a request names none.
        self.default, self.detector = engine.card.name if engine else model, detector
        if models is None:
            models = () if engine else available_models()
        #: The models that may be requested, the default first.
        self.names: tuple[str, ...] = tuple(dict.fromkeys([self.default, *models]))

    def get(self, model: str | None = None, detector: str | None = None) -> Engine:
        """The engine for a model and a detector; None or an empty name is the default.

        ModelMissing or DetectorError for a name that is not offered, besides what loading raises.
        """
        model = model or self.default
        if self._engine and model == self.default and not detector:
            return self._engine
        key = model, detector or self.detector
        self._check_names(*key)
        if self._engine and model == self.default:
            happened = f"The default model is not available with the detector '{detector}'"
            raise DetectorError(happened, f"{self._engine.detector} was expected", "Leave the detector out")
        with self._lock:
            if key not in self._engines:
                self._engines[key] = self._load(model=key[0], detector=key[1])
            self._engines.move_to_end(key)
            while self._limit is not None and len(self._engines) > self._limit:
                self._engines.popitem(last=False)
            return self._engines[key]

    def card(self, model: str) -> ModelCard:
        """The card of a model; a model that is not loaded yet is not loaded for it."""
        if self._engine and model == self.default:
            return self._engine.card
        with self._lock:
            engine = next((engine for (name, _), engine in self._engines.items() if name == model), None)
        return engine.card if engine else ModelCard.read(resolve_model(model))

    def cards(self) -> dict[str, ModelCard]:
        """The card of each model that may be requested, the default first."""
        return {name: self.card(name) for name in self.names}

    def _check_names(self, model: str, detector: str) -> None:
        if model not in self.names:
            expected = f"Expected one of {', '.join(self.names)}"
            raise ModelMissing(f"There is no model '{model}' here", expected, suggest_name(model, self.names))
        if detector not in detector_names():
            expected = f"Expected one of {', '.join(detector_names())}"
            raise DetectorError(
                f"There is no detector '{detector}'", expected, suggest_name(detector, detector_names())
            )
