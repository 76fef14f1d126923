"""State that all parts of the application share: events, worker, the model in use, settings and status line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mien.apps.desktop.settings import DesktopSettings, store_settings
from mien.apps.desktop.worker import BACKGROUND, IMMEDIATE, Steps, Task, Worker
from mien.errors import MienError
from mien.models import ModelCard
from mien.results import Pixels

if TYPE_CHECKING:
    from mien.apps.session.engines import EngineLoader
    from mien.engine import Engine
    from mien.images import Source


class ModelSelection(NamedTuple):
    """The names of the model, of the face detector and of the prior."""

    model: str = "base"
    detector: str = "auto"
    prior: str = "training"


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
            self._engine = self._load(model=selection.model, detector=selection.detector, prior=selection.prior)
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


class EventBus:
    """Callbacks by topic. An event carries no value: a subscriber reads the state that changed."""

    def __init__(self) -> None:
        self._subscribers: dict[str, list[Callable[[], None]]] = defaultdict(list)

    def subscribe(self, callback: Callable[[], None], *topics: str) -> None:
        for topic in topics:
            self._subscribers[topic].append(callback)

    def publish(self, *topics: str) -> None:
        for topic in topics:
            for callback in tuple(self._subscribers[topic]):
                callback()

    def clear(self) -> None:
        """Remove all subscribers, before the views are rebuilt."""
        self._subscribers.clear()


class Status(NamedTuple):
    """The status line; ``error`` marks a failure."""

    text: str = ""
    error: bool = False


class AppState:
    """State that belongs to no page.

    ``selection`` is the model in use, and ``card`` its description once it is loaded. ``cards`` are the installed
    models by name. Topics: ``status``, ``busy``, ``settings``, ``card`` (loaded, or selection failed), ``selection``
    (another model is in use), ``models`` (the installed models were listed).
    """

    def __init__(self, load: EngineLoader, settings: DesktopSettings | None = None) -> None:
        """Without ``settings`` the defaults are used, and changes are not stored."""
        self.events, self.worker, self.session = EventBus(), Worker(), ModelSession(load)
        self.settings = settings or DesktopSettings()
        self._stores_settings = settings is not None
        self.selection, self.status = ModelSelection(), Status()
        self.card: ModelCard | None = None
        self.detector = ""
        self.cards: dict[str, ModelCard] = {}
        self.detector_names: tuple[str, ...] = ("auto", "haar", "none")
        self._tasks: set[Task] = set()

    @property
    def labels(self) -> tuple[str, ...]:
        return self.card.labels if self.card else ()

    @property
    def vote_labels(self) -> tuple[str, ...]:
        return self.card.vote_labels if self.card else ()

    def names(self, part: str) -> tuple[str, ...]:
        """The choices of ``detector``, or of ``model``: the installed ones and the one in use, which may be a file."""
        return self.detector_names if part == "detector" else tuple(dict.fromkeys([*self.cards, self.selection.model]))

    @property
    def busy(self) -> bool:
        """Whether there are tasks that :meth:`cancel_tasks` can stop."""
        return any(not task.cancelled for task in self._tasks)

    # Tasks

    def submit(
        self,
        steps: Steps,
        on_result: Callable[[Any], None] | None = None,
        *,
        priority: int = IMMEDIATE,
        on_error: Callable[[MienError], None] | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> Task:
        """Give work to the worker. Errors go to the status line unless ``on_error`` is passed.

        Background tasks can be stopped by :meth:`cancel_tasks`.
        """

        def end() -> None:
            self._tasks.discard(task)
            if on_end:
                on_end()
            self.events.publish("busy")

        task = Task(steps, on_result, on_error or self.show_error, end)
        if priority == BACKGROUND:
            self._tasks.add(task)
            self.events.publish("busy")
        return self.worker.submit(task, priority)

    def cancel_tasks(self) -> None:
        """Stop the background tasks; their results up to now stay."""
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        self.events.publish("busy")

    # The status line

    def show_message(self, text: str) -> None:
        self.status = Status(text)
        self.events.publish("status")

    def show_error(self, error: MienError) -> None:
        self.status = Status(str(error), error=True)
        self.events.publish("status")

    # Models

    def select_model(self, selection: ModelSelection) -> None:
        """Load another model or detector. The selection changes only after it was loaded."""

        def apply(loaded: tuple[ModelCard, str]) -> None:
            previous, self.selection = self.selection, selection
            self.card, self.detector = loaded
            self.events.publish("card", *(() if previous == selection else ("selection",)))

        def fail(error: MienError) -> None:
            self.show_error(error)
            self.events.publish("card")  # the fields show the current selection again

        def load() -> Steps:
            # The heavy imports happen here, while the window is visible already.
            engine = self.session.engine(selection)
            yield engine.card, engine.detector

        self.submit(load(), apply, on_error=fail)

    def change_selection(self, **changes: str) -> None:
        """Load another ``model`` or ``detector``, unless it is in use."""
        selection = self.selection._replace(**changes)
        if selection != self.selection:
            self.select_model(selection)

    def refresh_models(self) -> None:
        """List the installed models in the worker: installed packages may add some."""

        def apply(listed: tuple[dict[str, ModelCard], tuple[str, ...]]) -> None:
            self.cards, self.detector_names = listed
            self.events.publish("models")

        self.submit(list_models(self.selection.model), apply)

    # Settings

    def change_settings(self, **changes: Any) -> None:
        """Change the settings and store them."""
        self.settings = replace(self.settings, **changes)
        self.store_settings()
        self.events.publish("settings")

    def store_settings(self) -> None:
        if self._stores_settings:
            store_settings(self.settings)

    def close(self) -> None:
        self.events.clear()
        self.worker.close()
