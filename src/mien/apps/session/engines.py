"""Engines by model, detector and prior, each loaded once and shared by all threads of a window."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from threading import RLock
from typing import Protocol

from mien.engine import Engine
from mien.errors import DetectorError, ModelMissing, PriorError, suggest_name
from mien.faces.detectors import detector_names
from mien.models import ModelCard, available_models, resolve_model
from mien.models.decision import PRIORS, check_prior


class EngineLoader(Protocol):
    """Makes an engine for the names of a model, a detector and a prior; :meth:`mien.Engine.load` is one."""

    def __call__(self, *, model: str, detector: str, prior: str = PRIORS[0]) -> Engine: ...


class EngineCache:
    """Engines, loaded when they are first requested.

    ``engine`` is the caller's own engine: it answers for the default model with the default detector and prior and is
    never removed. Without it the default is ``model``, a name or a path. ``models`` are the names that may be requested
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
        prior: str = PRIORS[0],
        models: Iterable[str] | None = None,
        load: EngineLoader = Engine.load,
        limit: int | None = None,
    ) -> None:
        self._engine, self._load, self._limit = engine, load, limit
        self._lock = RLock()
        self._engines: OrderedDict[tuple[str, str, str], Engine] = OrderedDict()
        #: The model, the detector and the prior that are used where a request names none.
        self.default, self.detector, self.prior = engine.card.name if engine else model, detector, check_prior(prior)
        if models is None:
            models = () if engine else available_models()
        #: The models that may be requested, the default first.
        self.names: tuple[str, ...] = tuple(dict.fromkeys([self.default, *models]))

    def get(self, model: str | None = None, detector: str | None = None, prior: str | None = None) -> Engine:
        """The engine for a model, a detector and a prior; None or an empty name is the default.

        ModelMissing, DetectorError or PriorError for a name that is not offered, besides what loading raises.
        """
        model = model or self.default
        if self._engine and model == self.default and not detector and prior in (None, "", self.prior):
            return self._engine
        key = model, detector or self.detector, prior or self.prior
        with self._lock:
            # The names of detectors are read from the files of all installed packages, which takes milliseconds.
            if key in self._engines:
                self._engines.move_to_end(key)
                return self._engines[key]
        self._check_names(*key)
        if self._engine and model == self.default:
            if not detector:
                happened = f"The default model is not available with the prior '{prior}'"
                raise PriorError(happened, f"{self.prior} was expected", "Leave the prior out")
            happened = f"The default model is not available with the detector '{detector}'"
            raise DetectorError(happened, f"{self._engine.detector} was expected", "Leave the detector out")
        with self._lock:
            if key not in self._engines:
                self._engines[key] = self._load(model=key[0], detector=key[1], prior=key[2])
            self._engines.move_to_end(key)
            while self._limit is not None and len(self._engines) > self._limit:
                self._engines.popitem(last=False)
            return self._engines[key]

    def card(self, model: str) -> ModelCard:
        """The card of a model; a model that is not loaded yet is not loaded for it."""
        if self._engine and model == self.default:
            return self._engine.card
        with self._lock:
            engine = next((engine for (name, *_), engine in self._engines.items() if name == model), None)
        return engine.card if engine else ModelCard.read(resolve_model(model))

    def cards(self) -> dict[str, ModelCard]:
        """The card of each model that may be requested, the default first."""
        return {name: self.card(name) for name in self.names}

    def _check_names(self, model: str, detector: str, prior: str) -> None:
        if model not in self.names:
            expected = f"Expected one of {', '.join(self.names)}"
            raise ModelMissing(f"There is no model '{model}' here", expected, suggest_name(model, self.names))
        if detector not in detector_names():
            expected = f"Expected one of {', '.join(detector_names())}"
            raise DetectorError(
                f"There is no detector '{detector}'", expected, suggest_name(detector, detector_names())
            )
        check_prior(prior)
