"""Faces and models put together: pictures in, readings out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, partial
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mien import images, video
from mien.concurrency import ordered_map, single_core_opencv
from mien.errors import HeadMissing, MienError
from mien.explain import Explanation, Placement
from mien.explain.explainer import Explainer
from mien.faces.crop import FRAMINGS, Framing, crop_face, locate_crop, map_landmarks_to_crop, to_model_input
from mien.faces.detectors import Detector, load_detector
from mien.faces.quality import assess_quality
from mien.images import Source
from mien.models import Classifier, ModelCard, find_model_file, load_classifier, resolve_model
from mien.models.decision import build_emotions as build_emotions
from mien.results import AnalyzedFrame, Emotions, Face, Failure, FrameResult, Pixels, Quality, Reading
from mien.video import FrameSelection, VideoSource

if TYPE_CHECKING:
    from mien.explain import Activations, Explanation
    from mien.explain.explainer import Explainer


class Engine:
    """Reads expressions. It keeps nothing between calls, so one engine serves any number of threads.

    ``Engine.load`` is the usual way in. The constructor takes the two parts themselves: any object that finds faces
    (:class:`mien.faces.detectors.Detector`) and any that scores them (:class:`mien.models.Classifier`).
    """

    def __init__(self, classifier: Classifier, detector: Detector) -> None:
        self._classifier = classifier
        self._detector = detector
        self._framing = select_framing(classifier.card, detector.name)

    @classmethod
    def load(cls, model: str | PathLike[str] = "base", detector: str = "auto", threads: int | None = None) -> Engine:
        """Load a model (a name from ``mien.available()`` or a path to an ``.onnx`` file) and a face detector.

        ``detector`` is ``haar``, ``yunet``, ``none`` (the picture is the face) or ``auto`` (yunet where its file is
        installed, else haar). ``threads`` bounds what one call may use; None leaves it to the machine.
        """
        classifier = load_classifier(resolve_model(model), threads=threads)
        # Only those who may want YuNet look for its file: a damaged one must not stop Haar.
        yunet = find_model_file("yunet") if detector in ("auto", "yunet") else None
        return cls(classifier, load_detector(detector, yunet=yunet, threads=threads))

    @property
    def card(self) -> ModelCard:
        return self._classifier.card

    @property
    def labels(self) -> tuple[str, ...]:
        """The model's expressions, in the order of the columns of :meth:`score`."""
        return self.card.labels

    @property
    def vote_labels(self) -> tuple[str, ...]:
        """The columns of :meth:`votes`; empty when the model has no such head."""
        return self.card.vote_labels

    @property
    def detector(self) -> str:
        """The name of the detector in use (``auto`` has been decided)."""
        return self._detector.name

    def read(self, source: Source, *, min_face: int | None = None, max_pixels: int | None = None) -> FrameResult:
        """Find the faces in one picture and say what their expressions look like, largest face first.

        ``source`` is a path, the bytes of a picture file, a PIL image, or an **RGB** (not BGR) uint8 array.
        ``min_face`` is the smallest face to look for, in pixels of the picture. No face is an empty result.
        """
        return self._read_found([self._find(source, min_face, max_pixels)])[0]

    def read_many(
        self,
        sources: Iterable[Source | Failure] | Source,
        *,
        min_face: int | None = None,
        max_pixels: int | None = None,
        jobs: int | None = None,
    ) -> Iterator[FrameResult | Failure]:
        """Read pictures lazily, in order. One that fails is a :class:`Failure` in its place, and the rest go on.

        ``jobs`` threads, one core each, open pictures and find faces, a few pictures ahead; the model scores the faces
        of several together. A lone path, picture or array is read as a list of one; an array ``(N, h, w, 3)`` as N
        pictures.
        """
        look = partial(self._find_or_fail, min_face=min_face, max_pixels=max_pixels)
        workers = max(jobs or os.cpu_count() or 1, 1)
        with single_core_opencv, closing(ordered_map(look, images.iterate_sources(sources), workers)) as groups:
            for group in groups:
                results = iter(self._read_or_fail([found for found in group if isinstance(found, _Found)]))
                for found in group:
                    yield found if isinstance(found, Failure) else next(results)

    def analyze_video(
        self,
        source: VideoSource,
        *,
        every: int | None = 1,
        fps: float | None = None,
        start: float | None = None,
        end: float | None = None,
        min_face: int | None = None,
        frames: bool = False,
    ) -> Iterator[AnalyzedFrame]:
        """Read a film lazily, moment by moment, and follow the people in it: each reading's ``track`` is a number.

        ``every`` reads each nth frame, ``fps`` at most so many in a second; ``start`` and ``end`` are seconds.
        ``frames=True`` hands the pixels over too. Leaving the loop, however, closes the film.
        """
        from mien.video.analysis import AnalysisSteps, analyze

        selection = FrameSelection(
            1 if every is None else every, fps, start or 0.0, float("inf") if end is None else end
        )
        steps = AnalysisSteps(self._detector, self._cut_out, self._read_found)
        return analyze(steps, video.open_video(source), selection, min_face=min_face, frames=frames)

    def score(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Shares of each label for face crops ``(N, H, W)`` gray or ``(N, H, W, 3)`` RGB uint8: ``(N, labels)``."""
        return self._classifier.run(self._as_input(images.check_crops(crops))).scores

    def votes(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What ten people would say of face crops, as shares ``(N, vote_labels)``; crops as in :meth:`score`."""
        if not self.vote_labels:
            raise HeadMissing(
                f"The model '{self.card.name}' does not say what ten people would vote",
                "Votes need a model with a second head, trained on FER+",
                "Use model='base', or score(), which every model has",
            )
        votes = self._classifier.run(self._as_input(images.check_crops(crops))).votes
        assert votes is not None, "load_classifier holds the card to the outputs"
        return votes

    @cached_property
    def _inside(self) -> Explainer:
        """The model opened for looking inside: made when somebody first looks, and without any memory of faces."""
        from mien.explain.explainer import Explainer

        return Explainer(self._classifier)

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of the network's layers, in order; empty for a model that cannot be opened."""
        return self._inside.layers

    def activations(self, crop: Source, layers: str | Sequence[str] = "auto") -> Activations:
        """A quick look inside, for moving pictures: a few layers, the shares and the class map of the leading label."""
        return self._inside.activations(self._one(crop), layers)

    def explain(
        self,
        crop: Source,
        methods: str | Sequence[str] = "auto",
        layers: str | Sequence[str] = "auto",
        target: str | None = None,
        versus: str | None = None,
        seed: int = 0,
    ) -> Explanation:
        """What the network makes of one face crop ``(H, W)`` or ``(H, W, 3)`` uint8 (or a picture file of one).

        ``methods`` are among ``cam``, ``occlusion`` and ``rise`` (``auto``: the first that the card's audit trusts);
        ``layers`` are ``auto``, ``all``, or names from :attr:`layers`. Maps speak for ``target`` (the leading label, if
        none is named), against ``versus`` if one is.
        """
        return self._inside.explain(self._one(crop), methods, layers, target, versus, seed)

    def explain_image(
        self,
        source: Source,
        face: int | None = None,
        *,
        methods: str | Sequence[str] = "auto",
        layers: str | Sequence[str] = "auto",
        target: str | None = None,
        versus: str | None = None,
        seed: int = 0,
        min_face: int | None = None,
        max_pixels: int | None = None,
    ) -> tuple[Explanation, ...]:
        """The same for the faces of a picture, largest first: all, or the one numbered ``face`` (from 1).

        No face is an empty result; a number that no face has is an error.
        """
        pass

        found = self._find(source, min_face, max_pixels)
        how = {"methods": methods, "layers": layers, "target": target, "versus": versus, "seed": seed}
        return dissect(self._inside, self._read_found([found])[0], found.crops, self._framing, face, **how)

    def top_activating(
        self, crops: NDArray[np.uint8], layer: str, channels: Sequence[int], count: int = 9
    ) -> Mapping[int, tuple[int, ...]]:
        """What each channel of a layer responds to: the places of the crops that excite it most, the strongest first.

        Crops as in :meth:`score`. Where fewer than ``count`` excite a channel at all, there are fewer.
        """
        return self._inside.top_activating(self._as_input(images.check_crops(crops)), layer, channels, count)

    def crop(self, pixels: Pixels, face: Face) -> Pixels:
        """The face cut out of a picture as this model wants it: RGB uint8 ``(side, side, 3)``."""
        return crop_face(pixels, face, self._framing, self.card.side)

    def _one(self, crop: Source) -> NDArray[np.uint8]:
        one: NDArray[np.uint8] = self._as_input(images.load_image(crop).pixels[None])[0]
        return one

    def _find_or_fail(self, source: Source | Failure, min_face: int | None, max_pixels: int | None) -> _Found | Failure:
        if isinstance(source, Failure):
            return source
        try:
            return self._find(source, min_face, max_pixels)
        except MienError as error:
            return Failure(images.source_name(source), error)

    def _find(self, source: Source, min_face: int | None, max_pixels: int | None) -> _Found:
        picture = images.load_image(source, max_pixels=max_pixels)
        return self._cut_out(picture.name, picture.pixels, self._detector.detect(picture.pixels, min_face=min_face))

    def _cut_out(self, name: str, pixels: Pixels, faces: tuple[Face, ...]) -> _Found:
        crops = [crop_face(pixels, face, self._framing, self.card.side) for face in faces]
        qualities = [assess_quality(pixels, face, crop) for face, crop in zip(faces, crops, strict=True)]
        return _Found(name, (pixels.shape[1], pixels.shape[0]), faces, crops, qualities)

    def _read_or_fail(self, pictures: Sequence[_Found]) -> Sequence[FrameResult | Failure]:
        """Where the model stops, each picture has another chance by itself; the one it stops at fails, and no other."""
        try:
            return self._read_found(pictures)
        except MienError as error:
            if len(pictures) == 1:
                return [Failure(pictures[0].name, error)]
            return [result for picture in pictures for result in self._read_or_fail([picture])]

    def _read_found(self, pictures: Sequence[_Found]) -> list[FrameResult]:
        """Score the crops of all pictures in one run of the model, and hand them back picture by picture."""
        crops = [crop for picture in pictures for crop in picture.crops]
        emotions = iter(self._emotions(crops))
        return [
            FrameResult(
                picture.name,
                picture.size,
                tuple(
                    Reading(face, next(emotions), quality)
                    for face, quality in zip(picture.faces, picture.qualities, strict=True)
                ),
                self._detector.name,
                self.card.name,
            )
            for picture in pictures
        ]

    def _emotions(self, crops: Sequence[NDArray[np.uint8]]) -> Iterator[Emotions]:
        if not crops:
            return
        out = self._classifier.run(self._as_input(np.stack(crops)))
        for i, shares in enumerate(out.scores):
            yield build_emotions(self.card, shares, None if out.votes is None else out.votes[i])

    def _as_input(self, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return to_model_input(crops, self.card.side, self.card.color)


def select_framing(card: ModelCard, detector: str) -> Framing:
    """How the model wants this detector's boxes cut: its card's word first, then what was measured in general."""
    own = card.framings.get(detector)
    return Framing(*own) if own else FRAMINGS.get(detector, Framing(1.0))


@dataclass(frozen=True, slots=True)
class _Found:
    """The faces of one picture, cut out; the picture itself is let go."""

    name: str
    size: tuple[int, int]
    faces: tuple[Face, ...]
    crops: list[NDArray[np.uint8]]
    qualities: list[Quality]


# ==== mien.dissect
# The faces of one picture, explained one after the other: what is known of the picture joins what the network says.


def dissect(
    inside: Explainer,
    result: FrameResult,
    crops: Sequence[NDArray[np.uint8]],
    framing: Framing,
    number: int | None,
    **how: Any,
) -> tuple[Explanation, ...]:
    """An explanation for each face of a result that was read from these crops, or for the one with this number."""
    inside.check(how["methods"], how["layers"], how["target"], how["versus"])
    chosen = range(len(result)) if number is None else [_place(number, result)]
    return tuple(_explained(inside, result, crops[place], framing, place, how) for place in chosen)


def _place(number: int, result: FrameResult) -> int:
    if 1 <= number <= len(result):
        return number - 1
    many = "is 1 face" if len(result) == 1 else f"are {len(result)} faces"
    happened = f"There is no face number {number} in {result.source}"
    raise MienError(happened, f"There {many} in it; the largest is number 1", "Leave the number out to have all")


def _explained(
    inside: Explainer,
    result: FrameResult,
    crop: NDArray[np.uint8],
    framing: Framing,
    place: int,
    how: dict[str, Any],
) -> Explanation:
    reading, card = result.readings[place], inside.card
    return inside.explain(
        to_model_input(crop[None], card.side, card.color)[0],
        landmarks=map_landmarks_to_crop(reading.face, framing, card.side),
        **how,
        number=place + 1,
        source=result.source,
        size=result.size,
        detector=result.detector,
        face=reading.face,
        quality=reading.quality,
        placement=Placement(*locate_crop(reading.face, framing)),
        notes=_small(reading.face, card.side),
    )


def _small(face: Face, side: int) -> tuple[str, ...]:
    width = min(face.box.width, face.box.height)
    if width >= side / 2:
        return ()
    return (f"The face is only {width} pixels wide; the network saw it enlarged to {side}, and so are the maps.",)
