"""Looking inside: what is asked about which face, and what the network says; of a picture, or with the camera."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien.apps.desktop.model_session import Bench, Choice
from mien.apps.desktop.pictures import Album, Shot
from mien.apps.desktop.state import Ground
from mien.apps.desktop.worker import NOW, Steps, Task
from mien.errors import MienError
from mien.models import ModelCard
from mien.results import Emotions

if TYPE_CHECKING:
    from mien.engine import Engine
    from mien.explain import Activations, Explanation, Layer, Regions, Saliency

#: Explanations that are kept, for going back and forth.
_KEPT = 8


class Question(NamedTuple):
    """``method`` is auto or among ``mien.explain.explanation.METHODS``; ``target`` None is the leading label."""

    method: str = "auto"
    target: str | None = None
    versus: str | None = None


@dataclass(frozen=True, eq=False)
class Insight:
    """What a page about the inside shows, wherever the face is from. ``map`` is None where there is none."""

    crop: NDArray[np.uint8]
    emotions: Emotions
    layers: tuple[Layer, ...]
    map: Saliency | None
    regions: Regions | None
    notes: tuple[str, ...] = ()


def of_explanation(told: Explanation) -> Insight:
    first = told.maps[0] if told.maps else None
    regions = told.regions[0] if told.regions else None
    return Insight(told.crop, told.emotions, told.layers, first, regions, told.notes)


def of_look(look: Activations) -> Insight:
    return Insight(look.crop, look.emotions, look.layers, look.map, look.regions)


class Asking:
    """The engine as :class:`mien.apps.session.live_explanation.ExplanationWorker` wants it, with a question that may change meanwhile."""

    def __init__(self, engine: Engine, question: Question, wanted: Sequence[str]) -> None:
        self._engine, self.question, self.wanted = engine, question, tuple(wanted)

    @property
    def card(self) -> ModelCard:
        return self._engine.card

    @property
    def detector(self) -> str:
        return self._engine.detector

    @property
    def layers(self) -> tuple[str, ...]:
        return self._engine.layers

    def activations(self, crop: NDArray[np.uint8], layers: str | Sequence[str] = "auto") -> Activations:
        asked = layers if isinstance(layers, str) else tuple(dict.fromkeys([*layers, *self.wanted]))
        if isinstance(asked, tuple):
            asked = tuple(name for name in self.layers if name in asked)
        look = self._engine.activations(crop, asked)
        target, versus = self.question.target, self.question.versus
        if target is None or look.map is None or isinstance(layers, str):
            return look
        return self._about(crop, look, target, versus if versus != target else None)

    def _about(self, crop: NDArray[np.uint8], look: Activations, target: str, versus: str | None) -> Activations:
        """The same look with the evidence for another expression; only the class map is quick enough to move."""
        from dataclasses import replace

        told = self._engine.explain(crop, "cam", "auto", target, versus)
        return replace(look, map=told.maps[0], regions=told.regions[0])


class Peering:
    """Rings ``inside`` when there is something else to show.

    ``moving`` says that the camera's face is looked into instead of the picture's.
    """

    def __init__(self, ground: Ground, album: Album) -> None:
        self._ground, self._album = ground, album
        self.question = Question()
        self.moving = False
        self.error: MienError | None = None
        self.layer = ""
        self._kept: OrderedDict[tuple[object, ...], Insight] = OrderedDict()
        self._task: Task | None = None
        self._before: Insight | None = None

    @property
    def busy(self) -> bool:
        return self._task is not None and not self._task.over and not self._task.left

    @property
    def insight(self) -> Insight | None:
        """What the network says of the face that is meant; None before it was asked."""
        return self._kept.get(self._key()) if self._album.reading else None

    @property
    def shown(self) -> Insight | None:
        """The same, or what was said last of this face while the answer is awaited."""
        return self.insight or (self._before if self.busy else None)

    def ask(self, **changed: str | None) -> None:
        """Ask another question about the face, or the same of another face."""
        self.question = self.question._replace(**changed)  # type: ignore[arg-type]
        if self.question.versus is not None and self.question.versus == self.question.target:
            self.question = self.question._replace(versus=None)
        self.error = None
        if self._album.reading and self.insight is None:
            self._ask()
        self._ground.bells.ring("inside")

    def forget(self) -> None:
        """Another model reads now, which has other words and layers."""
        self._kept.clear()
        self._before, self.layer, self.question = None, "", Question()

    def choose(self, layer: str) -> None:
        self.layer = layer
        self._ground.bells.ring("layer")

    def _ask(self) -> None:
        if self._task:
            self._task.cancel()
        shot, key = self._album.shot, self._key()
        assert shot is not None, "a face was read in it"
        steps = explaining(self._ground.bench, shot, self._album.face, self._ground.choice, self.question)
        self._task = self._ground.do(
            steps,
            lambda told: self._hear(key, told),
            urgency=NOW,
            failed=self._fail,
            ended=lambda: self._ground.bells.ring("inside"),
        )

    def _hear(self, key: tuple[object, ...], told: Insight) -> None:
        self._kept[key] = self._before = told
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        self._ground.bells.ring("inside")

    def _fail(self, error: MienError) -> None:
        self.error = error
        self._ground.bells.ring("inside")

    def _key(self) -> tuple[object, ...]:
        shot = self._album.shot
        return shot and shot.number, self._album.face, self.question, self._ground.choice


def explaining(bench: Bench, shot: Shot, face: int, choice: Choice, question: Question) -> Steps:
    """In the worker: what the network makes of one face of a picture, with all of its layers."""
    engine, pixels = bench.engine(choice), bench.pixels(shot.number, shot.source)
    yield None
    method, target, versus = question
    told = engine.explain_image(pixels, face + 1, methods=method, layers="all", target=target, versus=versus)
    yield of_explanation(told[0])
