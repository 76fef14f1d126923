"""What the worker thread keeps loaded: the engine of the selected model, and the full pixels of one image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mien.apps.desktop.worker import Steps
from mien.errors import MienError
from mien.models import ModelCard
from mien.results import Pixels

if TYPE_CHECKING:
    from mien.apps.session.engines import EngineLoader
    from mien.engine import Engine
    from mien.images import Source


class ModelSelection(NamedTuple):
    """The names of the model and of the face detector."""

    model: str = "base"
    detector: str = "auto"


class ModelSession:
    """To be used in the worker's thread only."""

    def __init__(self, load: EngineLoader) -> None:
        self._load = load
        self._selection: ModelSelection | None = None
        self._engine: Engine | None = None
        self._image: tuple[int, Pixels] | None = None

    def engine(self, selection: ModelSelection) -> Engine:
        """The engine of this selection, loaded when it is first needed."""
        if self._engine is None or selection != self._selection:
            self._engine = self._load(model=selection.model, detector=selection.detector)
            self._selection = selection
        return self._engine

    def pixels(self, number: int, source: Source) -> Pixels:
        """The image with this number, decoded unless it was the last one."""
        if self._image is None or self._image[0] != number:
            from mien import images

            self._image = None  # so that two large images are never in memory at once
            self._image = number, images.load_image(source).pixels
        return self._image[1]


def short_model_name(name: str) -> str:
    """The name of a model, or the file name of a model file."""
    return Path(name).name if name.endswith(".onnx") else name


def list_models(selected: str) -> Steps:
    """Yield the cards of all models that can be read, by name, and the names of the detectors that can be used."""
    from mien.faces.detectors import detector_names
    from mien.models import available_models, find_model_file, resolve_model

    cards = {}
    for name in dict.fromkeys([*available_models(), selected]):
        try:
            cards[name] = ModelCard.read(resolve_model(name))
        except MienError:  # reported when this model is selected
            continue
        yield None
    try:
        yunet_available = find_model_file("yunet") is not None
    except MienError:  # the file is damaged: selecting the detector reports it
        yunet_available = True
    yield cards, tuple(name for name in detector_names() if name != "yunet" or yunet_available)
