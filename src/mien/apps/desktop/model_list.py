"""Which models and detectors there are to choose from, and the models' cards."""

from __future__ import annotations

from pathlib import Path

from mien.apps.desktop.state import Ground
from mien.apps.desktop.worker import NOW, Steps
from mien.errors import MienError
from mien.models import ModelCard


class Shelf:
    """Rings ``models`` when they are known. Looked up in the worker: other packages may bring some."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.cards: dict[str, ModelCard] = {}
        self.detectors: tuple[str, ...] = ("auto", "haar", "none")

    @property
    def models(self) -> tuple[str, ...]:
        """Their names, and the one in use, which may be a file."""
        return tuple(dict.fromkeys([*self.cards, self._ground.choice.model]))

    def look(self) -> None:
        self._ground.do(_looking(self._ground.choice.model), self._hear, urgency=NOW)

    def _hear(self, found: tuple[dict[str, ModelCard], tuple[str, ...]]) -> None:
        self.cards, self.detectors = found
        self._ground.bells.ring("models")


def called(name: str) -> str:
    """What a model is called in the window: its name, or that of its file without the folders."""
    return Path(name).name if name.endswith(".onnx") else name


def _looking(chosen: str) -> Steps:
    from mien.faces.detectors import detector_names
    from mien.models import available_models, find_model_file, resolve_model

    cards = {}
    for name in dict.fromkeys([*available_models(), chosen]):
        try:
            cards[name] = ModelCard.read(resolve_model(name))
        except MienError:  # told when somebody chooses it
            continue
        yield None
    try:
        with_yunet = find_model_file("yunet") is not None
    except MienError:  # damaged: choosing it says so
        with_yunet = True
    yield cards, tuple(name for name in detector_names() if name != "yunet" or with_yunet)
