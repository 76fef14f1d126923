"""Both face detectors: time, recall and false detections.

python benchmarks/detectors.py --data fer2013.npz --yunet face_detection_yunet_2026may.onnx
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
from _face_matching import is_same_face
from _non_faces import draw_non_faces, load_sample_photos
from _results import write_result
from _scenes import (
    EXAMPLES,
    PORTRAITS,
    Faces,
    Scene,
    draw_background,
    draw_scene,
    draw_scenes,
    load_fer2013,
    load_portrait,
)
from numpy.typing import NDArray

from mien import Engine
from mien.faces import yunet as yunet_module
from mien.faces.detectors import Detector, load_detector
from mien.faces.opencv_detectors import HaarCascades, HaarDetector
from mien.faces.tiling import Tile, compute_working_scale, detect_in_tiles
from mien.faces.yunet import YunetDetector
from mien.models import load_classifier, resolve_model
from mien.results import Box, Pixels


def place_portrait(rng: np.random.Generator, name: str, width: float) -> Scene:
    """A portrait, its face ``width`` pixels wide, at a random position on a drawn 640 x 480 background."""
    image, face = draw_background(rng, 640, 480), PORTRAITS[name]
    scale = width / face.width
    small = cv2.resize(load_portrait(name), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:480, :640]
    x, y = int(rng.integers(0, 641 - small.shape[1])), int(rng.integers(0, 481 - small.shape[0]))
    image[y : y + small.shape[0], x : x + small.shape[1]] = small
    return Scene(image, (Box(x + round(face.x * scale), y + round(face.y * scale), round(width), round(width * 1.15)),))


def rotate_portrait(rng: np.random.Generator, name: str, degrees: float) -> Scene:
    image, (face,) = place_portrait(rng, name, 110)
    matrix = cv2.getRotationMatrix2D((face.x + face.width / 2, face.y + face.height / 2), degrees, 1.0)
    rotated = cv2.warpAffine(image, matrix, (640, 480), borderMode=cv2.BORDER_REFLECT)
    return Scene(np.asarray(rotated, np.uint8), (face,))


def relight_portrait(rng: np.random.Generator, name: str, gain: float, offset: float) -> Scene:
    image, faces = place_portrait(rng, name, 110)
    noise = rng.normal(0, 3, image.shape[:2])[..., None]
    return Scene(np.clip(image * gain + offset + noise, 0, 255).astype(np.uint8), faces)


#: Gain and offset of the pixel values.
LIGHT = {"dark": (0.15, 0.0), "dim": (0.4, 0.0), "low contrast": (0.25, 110.0), "overexposed": (1.8, 40.0)}


def draw_portrait_scenes(seed: int, repeats: int) -> dict[str, list[Scene]]:
    """The two free portraits at several sizes, rotations and lights, ``repeats`` scenes of each."""
    rng = np.random.default_rng(seed)
    names = [name for name in PORTRAITS for _ in range(repeats)]
    sizes = {
        f"{width} pixels": [place_portrait(rng, name, width) for name in names]
        for width in (16, 20, 24, 32, 48, 80, 140)
    }
    rotations = {
        f"rotated {degrees} degrees": [
            rotate_portrait(rng, name, degrees * (-1) ** repeat) for name in PORTRAITS for repeat in range(repeats)
        ]
        for degrees in (10, 20, 30, 45)
    }
    lights = {
        light: [relight_portrait(rng, name, *parameters) for name in names] for light, parameters in LIGHT.items()
    }
    return sizes | rotations | lights


def enlarge_faces(faces: Faces) -> Iterator[Scene]:
    """Images that a face fills from border to border."""
    rng = np.random.default_rng(3)
    for face in faces.pixels:
        side = int(rng.integers(48, 640))
        large = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
        yield Scene(np.repeat(large[..., None], 3, axis=2), (Box(0, 0, side, side),))


def measure_recall(detector: Detector, scenes: Iterable[Scene]) -> dict[str, Any]:
    """The recall in scenes with one face each, and the count of false detections."""
    images = true_positives = false_detections = 0
    for pixels, truth in scenes:
        faces = detector.detect(pixels)
        matches = sum(any(is_same_face(face.box, box) for box in truth) for face in faces)
        images, true_positives = images + 1, true_positives + (matches > 0)
        false_detections += len(faces) - (matches > 0)
    return {"images": images, "recall": round(true_positives / images, 3), "false_detections": false_detections}


def count_false_detections(detector: Detector, images: Iterable[Pixels]) -> dict[str, Any]:
    """In images without a face."""
    counts = [len(detector.detect(image)) for image in images]
    return {
        "images": len(counts),
        "false_detections": sum(counts),
        "images_with_false_detections": sum(map(bool, counts)),
    }


def fit_haar_confidence(faces: Faces, non_faces: Iterable[Pixels]) -> dict[str, Any]:
    """Logistic regression from the numbers of agreeing windows to the probability that a proposal is a face."""
    from sklearn.linear_model import LogisticRegression

    cascades, rows = HaarCascades(), []
    scenes = [(scene.pixels, scene.faces[0]) for scene in draw_scenes(faces, seed=51, smallest=40)]
    for image, truth in [*scenes, *((image, None) for image in non_faces)]:
        for proposal in detect_in_tiles(image, cascades.propose, HaarDetector.tiling):
            counts = [len(windows) for windows in cascades.find_windows(image, proposal)]
            box = cascades.verify(image, proposal).to_face().box
            rows.append((truth is not None and is_same_face(box, truth), proposal.score, *counts))
    table = np.array(rows, float)
    features, is_face = np.log1p(table[:, 1:]), table[:, 0] > 0
    model = LogisticRegression(C=10).fit(features, is_face)
    weights = [model.intercept_[0], *model.coef_[0]]
    return {
        "proposals": len(is_face),
        "faces": int(is_face.sum()),
        "weights": [round(float(weight), 2) for weight in weights],
        "reliability": measure_reliability(model.predict_proba(features)[:, 1], is_face),
    }


def measure_reliability(confidence: NDArray[np.float64], is_face: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """The precision of the proposals in each range of confidence; None without proposals."""
    rows = []
    for low, high in ((0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 0.9), (0.9, 1.01)):
        inside = (confidence >= low) & (confidence < high)
        precision = round(float(is_face[inside].mean()), 3) if inside.any() else None
        rows.append({"confidence_from": low, "proposals": int(inside.sum()), "precision": precision})
    return rows


def draw_crowd(width: int, height: int, face_width: int) -> tuple[Pixels, int]:
    """A large group photo of small copies of the two portraits, and the number of its faces."""
    scale = face_width / PORTRAITS["astronaut"].width
    small = cv2.resize(load_portrait("portraits"), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    image = np.full((height, width, 3), 96, np.uint8)
    corners = [
        (x, y)
        for y in range(0, height - small.shape[0], small.shape[0] * 4)
        for x in range(0, width - small.shape[1], small.shape[1] * 3)
    ]
    for x, y in corners:
        image[y : y + small.shape[0], x : x + small.shape[1]] = small
    return image, 2 * len(corners)


def measure_half_scale(yunet: Path, faces: Faces) -> dict[str, Any]:
    """Of the faces that YuNet detects at its working scale, the fraction without even a weak candidate at half of it.

    A first search at half the scale would save most of the time where it shows that no small face is there.
    """
    detector, rng = YunetDetector(yunet), np.random.default_rng(21)
    figures: dict[str, Any] = {}
    for width in (24, 32, 40, 56, 80):
        scenes = {
            "training faces": [draw_scene(rng, face, width) for face in faces.pixels],
            "portraits": [place_portrait(rng, name, width) for name in PORTRAITS for _ in range(40)],
        }
        for kind, images in scenes.items():
            detected = missed = 0
            for pixels, (truth,) in images:
                scale = compute_working_scale(pixels.shape, detector.tiling)
                if _has_candidate(detector, pixels, truth, scale, 0.6):
                    detected += 1
                    missed += not _has_candidate(detector, pixels, truth, scale / 2, 0.1)
            missed_fraction = round(missed / detected, 3) if detected else None
            figures[f"{kind}, {width} pixels"] = {"detected": detected, "missed": missed_fraction}
    return figures


def _has_candidate(detector: YunetDetector, pixels: Pixels, truth: Box, scale: float, min_score: float) -> bool:
    window = Tile(Box(0, 0, pixels.shape[1], pixels.shape[0]), scale, linear_above=0.1)
    with patch.object(yunet_module, "MIN_SCORE", min_score):
        candidates = detector.detect_once(window.extract(pixels))
    return any(is_same_face(window.to_image(candidate).to_face().box, truth) for candidate in candidates)


def load_photos() -> list[Pixels]:
    """Real photos at 640 pixels: the portraits, and the two photos of scikit-learn, which have no face."""
    photos = [load_portrait(name) for name in (*PORTRAITS, "portraits")] + load_sample_photos()
    scales = [640 / max(photo.shape) for photo in photos]
    return [
        np.asarray(cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        for photo, scale in zip(photos, scales, strict=True)
    ]


def measure_median_ms(function: Callable[[], object], rounds: int) -> float:
    """Median over ``rounds`` calls after a warm-up."""
    function()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return round(statistics.median(times) * 1000, 1)


def measure_photos(detector: Detector, rounds: int) -> dict[str, Any]:
    """Milliseconds: the medians of each photo, and their median."""
    medians = [measure_median_ms(partial(detector.detect, photo), rounds) for photo in load_photos()]
    return {"photo_640_ms": statistics.median(medians), "photos_640_ms": medians}


def measure_crowd(detector: Detector) -> dict[str, Any]:
    image, faces = draw_crowd(6000, 4000, 24)
    return {
        "24_megapixels_ms": measure_median_ms(partial(detector.detect, image), 3),
        "24_megapixels_min_face_24_ms": measure_median_ms(partial(detector.detect, image, min_face=24), 1),
        "24_megapixels_faces": faces,
        "24_megapixels_detected": len(detector.detect(image, min_face=24)),
    }


def measure_read(detector: Detector, rounds: int) -> dict[str, Any]:
    """``engine.read`` from a JPEG file with one face, 512 x 512 and 512 x 600 pixels, to the result, warm."""
    engine = Engine(load_classifier(resolve_model("base")), detector)
    return {
        f"read_{name}_ms": measure_median_ms(partial(engine.read, EXAMPLES / f"{name}.jpg"), rounds)
        for name in PORTRAITS
    }


def measure_times(names: Iterable[str], yunet: Path | None, rounds: int) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for threads in (1, 2):
        for name in names:
            detector = load_detector(name, yunet=yunet, threads=threads)
            figures[f"{name}, {threads} thread(s)"] = measure_photos(detector, rounds) | measure_read(detector, rounds)
            print(name, threads, figures[f"{name}, {threads} thread(s)"], flush=True)
    for name in names:
        figures[f"{name}, large"] = measure_crowd(load_detector(name, yunet=yunet))
        print(name, figures[f"{name}, large"], flush=True)
    return figures


def measure_accuracy(names: Iterable[str], yunet: Path | None, faces: Faces) -> dict[str, Any]:
    """Recall and false detections of each detector."""
    figures: dict[str, Any] = {}
    scenes_by_condition = draw_portrait_scenes(seed=1, repeats=6)
    for name in names:
        detector = load_detector(name, yunet=yunet)
        figures[name] = {
            "portraits": {
                condition: measure_recall(detector, scenes) for condition, scenes in scenes_by_condition.items()
            },
            "training faces in scenes, 40 to 240 pixels": measure_recall(
                detector, draw_scenes(faces, seed=9, smallest=40)
            ),
            "training faces without border, 48 to 640 pixels": measure_recall(detector, enlarge_faces(faces)),
            "no face": count_false_detections(detector, draw_non_faces(seed=9)),
        }
        print(name, figures[name], flush=True)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="fer2013.npz or fer2013.csv")
    parser.add_argument("--yunet", type=Path, help="YuNet's model file; without it only Haar is measured")
    parser.add_argument("--faces", type=int, default=400, help="training faces in scenes")
    parser.add_argument("--rounds", type=int, default=9, help="timed calls for each photo")
    parser.add_argument(
        "--only",
        choices=["times", "accuracy", "haar confidence", "half scale"],
        help="measure one part, print it and write nothing",
    )
    options = parser.parse_args()
    names = ("haar", "yunet") if options.yunet else ("haar",)
    training = load_fer2013(options.data, "Training")
    parts: dict[str, Callable[[], Any]] = {
        "times": lambda: measure_times(names, options.yunet, options.rounds),
        "accuracy": lambda: measure_accuracy(names, options.yunet, training.sample(options.faces, seed=61)),
        "haar confidence": lambda: fit_haar_confidence(
            training.sample(3 * options.faces, seed=62), draw_non_faces(seed=51, backgrounds=600, crops=100)
        ),
    }
    if options.yunet:
        parts["half scale"] = lambda: measure_half_scale(options.yunet, training.sample(150, seed=63))
    figures = {part: measure() for part, measure in parts.items() if options.only in (None, part)}
    if options.only:
        print(figures[options.only])
    else:
        write_result("detectors", figures)


if __name__ == "__main__":
    main()
