"""The engine: a face detector and a model put together, which read images and videos."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, partial
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mien import images, video
from mien.concurrency import ordered_map, single_core_opencv
from mien.errors import HeadMissing, MienError
from mien.faces.crop import FRAMINGS, Framing, crop_face, locate_crop, map_landmarks_to_crop, to_model_input
from mien.faces.detectors import Detector, load_detector
from mien.faces.quality import assess_quality
from mien.images import Source
from mien.models import Classifier, ModelCard, find_model_file, load_classifier, resolve_model
from mien.models.decision import build_emotions, check_target
from mien.results import AnalyzedFrame, Emotions, Face, Failure, FrameResult, Pixels, Quality, Reading
from mien.video import FrameSelection, VideoSource

if TYPE_CHECKING:
    from mien.explain import Activations, Explanation
    from mien.explain.explainer import Explainer
    from mien.video.analysis import AnalysisSteps, TrackingStates


@dataclass(frozen=True, slots=True)
class FaceCrops:
    """The faces of one image with their crops and qualities; the image itself is not retained."""

    name: str
    size: tuple[int, int]
    faces: tuple[Face, ...]
    crops: list[NDArray[np.uint8]]
    qualities: list[Quality]


class Engine:
    """Reads facial expressions in images and videos. It has no state, so several threads may share one engine.

    Use :meth:`load` to create one. The constructor takes any face detector (:class:`mien.faces.detectors.Detector`) and
    any model (:class:`mien.models.Classifier`).
    """

    def __init__(self, classifier: Classifier, detector: Detector) -> None:
        self._classifier = classifier
        self._detector = detector
        self._framing = select_framing(classifier.card, detector.name)

    @classmethod
    def load(
        cls,
        model: str | PathLike[str] = "base",
        detector: str = "auto",
        threads: int | None = None,
        prior: str = "training",
    ) -> Engine:
        """Load a model (a name of ``mien.available_models()`` or the path of an ``.onnx`` file) and a face detector.

        ``detector`` is ``haar``, ``yunet``, ``none`` (the whole image is the face) or ``auto`` (yunet if its file was
        downloaded, else haar). ``threads`` limits the cores that one call uses. With ``prior="even"`` the scores
        assume that all expressions are equally frequent, instead of as frequent as in FER2013.
        """
        classifier = load_classifier(resolve_model(model), threads=threads, prior=prior)
        # Only if YuNet may be used: a damaged file must not prevent the use of Haar.
        yunet = find_model_file("yunet") if detector in ("auto", "yunet") else None
        return cls(classifier, load_detector(detector, yunet=yunet, threads=threads))

    @property
    def card(self) -> ModelCard:
        return self._classifier.card

    @property
    def labels(self) -> tuple[str, ...]:
        """The model's labels, which are the columns of :meth:`score`."""
        return self.card.labels

    @property
    def vote_labels(self) -> tuple[str, ...]:
        """The columns of :meth:`votes`; empty if the model predicts no votes."""
        return self.card.vote_labels

    @property
    def detector(self) -> str:
        """The name of the detector, never ``auto``."""
        return self._detector.name

    # Images

    def read(self, source: Source, *, min_face: int | None = None, max_pixels: int | None = None) -> FrameResult:
        """Detect the faces in one image and predict what their expressions look like, largest face first.

        ``source`` is a path, the bytes of an image file, a PIL image, or an **RGB** (not BGR) uint8 array. ``min_face``
        is the width of the smallest face to detect, in pixels of the image. An image without a face has an empty
        result.
        """
        return self._classify([self._detect(source, min_face, max_pixels)])[0]

    def read_many(
        self,
        sources: Iterable[Source | Failure] | Source,
        *,
        min_face: int | None = None,
        max_pixels: int | None = None,
        jobs: int | None = None,
    ) -> Iterator[FrameResult | Failure]:
        """Read images lazily and in order. An image that fails is a :class:`Failure` in its place.

        ``jobs`` threads with one core each load images and detect faces, a few images ahead; the model classifies the
        faces of several images in one run. A single path, image or array is a list of one; an array ``(N, h, w, 3)`` is
        N images.
        """
        detect = partial(self._detect_or_fail, min_face=min_face, max_pixels=max_pixels)
        workers = max(jobs or os.cpu_count() or 1, 1)
        with single_core_opencv, closing(ordered_map(detect, images.iterate_sources(sources), workers)) as groups:
            for group in groups:
                results = iter(self._classify_or_fail([item for item in group if isinstance(item, FaceCrops)]))
                for item in group:
                    yield item if isinstance(item, Failure) else next(results)

    def crop(self, pixels: Pixels, face: Face) -> Pixels:
        """The crop of a face for this model: RGB uint8 ``(side, side, 3)``."""
        return crop_face(pixels, face, self._framing, self.card.side)

    # Videos

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
        max_pixels: int | None = None,
        states: TrackingStates | None = None,
    ) -> Generator[AnalyzedFrame]:
        """Analyse a video lazily, frame by frame, and track its faces: ``track`` of a reading numbers its track.

        Every ``every``-th frame is analysed, at most ``fps`` frames per second, from ``start`` to ``end`` (seconds).
        The results have no ``label_scores``; with ``frames=True`` they have the pixels. Leaving the loop early closes
        the video. With ``states`` another process can continue the analysis.
        """
        # Imported here: images need no tracker.
        from mien.video.analysis import analyze

        selection = FrameSelection(
            1 if every is None else every, fps, start or 0.0, float("inf") if end is None else end
        )
        reader = video.open_video(source, max_pixels=max_pixels)
        return analyze(self.analysis_steps(), reader, selection, min_face=min_face, frames=frames, states=states)

    def analysis_steps(self) -> AnalysisSteps[FaceCrops]:
        """The steps of :meth:`analyze_video`, for a caller that receives the frames of a camera one by one."""
        from mien.video.analysis import AnalysisSteps

        return AnalysisSteps(self._detector, self._crop_faces, partial(self._classify, with_label=False))

    # Face crops

    def score(self, crops: NDArray[np.uint8], target: str = "people") -> NDArray[np.float32]:
        """Probabilities ``(N, labels)`` of face crops, uint8 ``(N, H, W)`` gray or ``(N, H, W, 3)`` RGB.

        ``target`` is ``people`` (what most people would call the expression) or ``label`` (what FER2013's label would
        be, which published accuracies are about). They are the same for a model that has one target only.
        """
        check_target(target)
        return self._classifier.run(self._to_input(images.check_crops(crops))).target_scores(target)

    def votes(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predicted annotator votes (FER+) of face crops as probabilities ``(N, vote_labels)``; crops as for score."""
        if not self.vote_labels:
            raise HeadMissing(
                f"The model '{self.card.name}' does not predict annotator votes",
                "Votes need a model with a second head, trained on FER+",
                "Use model='base', or score(), which works for every model",
            )
        votes = self._classifier.run(self._to_input(images.check_crops(crops))).votes
        assert votes is not None, "a classifier with vote labels returns votes"
        return votes

    # Explanations

    @cached_property
    def _explainer(self) -> Explainer:
        # Imported here: reading needs no explanations.
        from mien.explain.explainer import Explainer

        return Explainer(self._classifier)

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of the network's layers in order; empty for a model without a graph."""
        return self._explainer.layers

    def activations(self, crop: Source, layers: str | Sequence[str] = "auto") -> Activations:
        """The emotions of one face crop, the activations of some layers and the CAM, fast enough for live video."""
        return self._explainer.activations(self._load_crop(crop), layers)

    def explain(
        self,
        crop: Source,
        methods: str | Sequence[str] = "auto",
        layers: str | Sequence[str] = "auto",
        target: str | None = None,
        versus: str | None = None,
        seed: int = 0,
    ) -> Explanation:
        """Explain the prediction for one face crop, uint8 ``(H, W)`` or ``(H, W, 3)``, or an image file with one.

        ``methods`` are ``cam``, ``occlusion`` and ``rise``, or ``auto`` for the first one that the audit in the card
        trusts. ``layers`` are ``auto``, ``all``, or names of :attr:`layers`. Evidence maps explain ``target`` (the
        leading label if None), compared with ``versus`` if it is set.
        """
        return self._explainer.explain(self._load_crop(crop), methods, layers, target, versus, seed)

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
        """Explain the predictions for the faces of an image, largest first: all, or the one with the number ``face``.

        Faces are numbered from 1; a number without a face is an error. An image without a face has no explanations.
        """
        from mien.explain import Placement

        self._explainer.check(methods, layers, target, versus)
        item = self._detect(source, min_face, max_pixels)
        result = self._classify([item])[0]
        if face is not None and not 1 <= face <= len(result):
            count = "is 1 face" if len(result) == 1 else f"are {len(result)} faces"
            happened = f"There is no face number {face} in {result.source}"
            expected = f"There {count} in it; the largest is number 1"
            raise MienError(happened, expected, "Leave the number out to explain all faces")
        return tuple(
            self._explainer.explain(
                self._to_input(item.crops[index][None])[0],
                methods,
                layers,
                target,
                versus,
                seed,
                landmarks=map_landmarks_to_crop(reading.face, self._framing, self.card.side),
                notes=_note_enlargement(reading.face, self.card.side),
                number=index + 1,
                source=result.source,
                size=result.size,
                detector=result.detector,
                face=reading.face,
                quality=reading.quality,
                placement=Placement(*locate_crop(reading.face, self._framing)),
            )
            for index, reading in enumerate(result)
            if face is None or index == face - 1
        )

    def top_activating(
        self, crops: NDArray[np.uint8], layer: str, channels: Sequence[int], count: int = 9
    ) -> Mapping[int, tuple[int, ...]]:
        """For each channel of a layer the indices of the ``count`` crops that activate it most, the strongest first.

        Crops as for :meth:`score`. Crops that do not activate the channel at all are left out.
        """
        return self._explainer.top_activating(self._to_input(images.check_crops(crops)), layer, channels, count)

    # Steps of the methods above

    def _detect(self, source: Source, min_face: int | None, max_pixels: int | None) -> FaceCrops:
        image = images.load_image(source, max_pixels=max_pixels)
        return self._crop_faces(image.name, image.pixels, self._detector.detect(image.pixels, min_face=min_face))

    def _detect_or_fail(
        self, source: Source | Failure, min_face: int | None, max_pixels: int | None
    ) -> FaceCrops | Failure:
        if isinstance(source, Failure):
            return source
        try:
            return self._detect(source, min_face, max_pixels)
        except MienError as error:
            return Failure(images.source_name(source), error)

    def _crop_faces(self, name: str, pixels: Pixels, faces: tuple[Face, ...]) -> FaceCrops:
        """The crops and qualities of the faces of one image; ``name`` is the name of the image."""
        crops = [self.crop(pixels, face) for face in faces]
        qualities = [assess_quality(pixels, face, crop) for face, crop in zip(faces, crops, strict=True)]
        return FaceCrops(name, (pixels.shape[1], pixels.shape[0]), faces, crops, qualities)

    def _classify(self, items: Sequence[FaceCrops], with_label: bool = True) -> list[FrameResult]:
        """The results of several images, whose faces are classified in one run of the model."""
        emotions = iter(self._predict([crop for item in items for crop in item.crops], with_label))
        return [
            FrameResult(
                item.name,
                item.size,
                tuple(
                    Reading(face, next(emotions), quality)
                    for face, quality in zip(item.faces, item.qualities, strict=True)
                ),
                self._detector.name,
                self.card.name,
            )
            for item in items
        ]

    def _classify_or_fail(self, items: Sequence[FaceCrops]) -> Sequence[FrameResult | Failure]:
        """If the run for several images fails, each image has its own run, so that only the one that fails is lost."""
        try:
            return self._classify(items)
        except MienError as error:
            if len(items) == 1:
                return [Failure(items[0].name, error)]
            return [result for item in items for result in self._classify_or_fail([item])]

    def _predict(self, crops: Sequence[NDArray[np.uint8]], with_label: bool) -> Iterator[Emotions]:
        if not crops:
            return
        outputs = self._classifier.run(self._to_input(np.stack(crops)))
        for index, scores in enumerate(outputs.scores):
            votes, label_scores = (None if values is None else values[index] for values in outputs[1:])
            yield build_emotions(self.card, scores, votes, label_scores=label_scores if with_label else None)

    def _load_crop(self, crop: Source) -> NDArray[np.uint8]:
        face: NDArray[np.uint8] = self._to_input(images.load_image(crop).pixels[None])[0]
        return face

    def _to_input(self, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return to_model_input(crops, self.card.side, self.card.color)


def select_framing(card: ModelCard, detector: str) -> Framing:
    """The framing for the boxes of a detector: that of the card, else the general one of the detector."""
    framing = card.framings.get(detector)
    return Framing(*framing) if framing else FRAMINGS.get(detector, Framing(1.0))


def _note_enlargement(face: Face, side: int) -> tuple[str, ...]:
    width = min(face.box.width, face.box.height)
    if width >= side / 2:
        return ()
    return (f"The face is only {width} pixels wide; for the network and the maps it was enlarged to {side}.",)
