"""Both detectors: how fast, how many faces they find and how often they see one where none is.

python benchmarks/detectors.py --data fer2013.npz --yunet face_detection_yunet_2026may.onnx
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from _face_matching import is_same_face
from _non_faces import draw_non_faces, load_sample_photos
from _results import write_result
from _scenes import EXAMPLES, PORTRAITS, Faces, Scene, draw_background, draw_scenes, load_fer2013, load_portrait
from numpy.typing import NDArray

from mien import Engine
from mien.faces.detectors import Detector, load_detector
from mien.faces.opencv_detectors import HaarCascades, HaarDetector
from mien.faces.tiling import detect_in_tiles
from mien.models import load_classifier, resolve_model
from mien.results import Box, Pixels


def placed(rng: np.random.Generator, name: str, width: float) -> Scene:
    """A portrait, its face ``width`` pixels wide, somewhere in a drawn 640 x 480 picture."""
    picture, face = draw_background(rng, 640, 480), PORTRAITS[name]
    scale = width / face.width
    small = cv2.resize(load_portrait(name), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:480, :640]
    x, y = int(rng.integers(0, 641 - small.shape[1])), int(rng.integers(0, 481 - small.shape[0]))
    picture[y : y + small.shape[0], x : x + small.shape[1]] = small
    return Scene(
        picture, (Box(x + round(face.x * scale), y + round(face.y * scale), round(width), round(width * 1.15)),)
    )


def leaning(rng: np.random.Generator, name: str, degrees: float) -> Scene:
    picture, (face,) = placed(rng, name, 110)
    turn = cv2.getRotationMatrix2D((face.x + face.width / 2, face.y + face.height / 2), degrees, 1.0)
    return Scene(
        np.asarray(cv2.warpAffine(picture, turn, (640, 480), borderMode=cv2.BORDER_REFLECT), np.uint8), (face,)
    )


def lit(rng: np.random.Generator, name: str, part: float, base: float) -> Scene:
    picture, faces = placed(rng, name, 110)
    noise = rng.normal(0, 3, picture.shape[:2])[..., None]
    return Scene(np.clip(picture * part + base + noise, 0, 255).astype(np.uint8), faces)


LIGHT = {"dark": (0.15, 0.0), "dim": (0.4, 0.0), "flat": (0.25, 110.0), "burnt out": (1.8, 40.0)}


def portraits(seed: int, times: int) -> dict[str, list[Scene]]:
    """The two free portraits at many sizes, slopes and lights."""
    rng = np.random.default_rng(seed)
    each = [(name, _) for name in PORTRAITS for _ in range(times)]
    sizes = {f"{w} pixels": [placed(rng, name, w) for name, _ in each] for w in (16, 20, 24, 32, 48, 80, 140)}
    slopes = {f"leaning {d} degrees": [leaning(rng, name, d * (-1) ** n) for name, n in each] for d in (10, 20, 30, 45)}
    lights = {word: [lit(rng, name, *how) for name, _ in each] for word, how in LIGHT.items()}
    return sizes | slopes | lights


def tight(faces: Faces) -> Iterator[Scene]:
    """Pictures that a face fills from border to border."""
    rng = np.random.default_rng(3)
    for face in faces.pixels:
        side = int(rng.integers(48, 640))
        large = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
        yield Scene(np.repeat(large[..., None], 3, axis=2), (Box(0, 0, side, side),))


def hits(detector: Detector, pictures: Iterable[Scene]) -> dict[str, Any]:
    found = false = shown = 0
    for picture, faces in pictures:
        seen = detector.detect(picture)
        right = [face for face in seen if any(is_same_face(face.box, drawn) for drawn in faces)]
        found, false, shown = found + bool(right), false + len(seen) - bool(right), shown + 1
    return {"pictures": shown, "found": round(found / shown, 3), "false": false}


def false_hits(detector: Detector, pictures: Iterable[Pixels]) -> dict[str, Any]:
    counts = [len(detector.detect(picture)) for picture in pictures]
    return {"pictures": len(counts), "false": sum(counts), "pictures_with_false": sum(map(bool, counts))}


def confidence(faces: Faces, negatives: Iterable[Pixels]) -> dict[str, Any]:
    """Fit Haar's confidence: from the windows that agree to the chance that a proposal is a face."""
    from sklearn.linear_model import LogisticRegression

    cascades, rows = HaarCascades(), []
    drawn = [(scene.pixels, scene.faces[0]) for scene in draw_scenes(faces, seed=51, smallest=40)]
    for picture, face in [*drawn, *((picture, None) for picture in negatives)]:
        for hit in detect_in_tiles(picture, cascades.propose, HaarDetector.tiling):
            counts = [len(windows) for windows in cascades.find_windows(picture, hit)]
            box = cascades.verify(picture, hit).to_face().box
            rows.append((face is not None and is_same_face(box, face), hit.score, *counts))
    table = np.array(rows, float)
    seen, true = np.log1p(table[:, 1:]), table[:, 0] > 0
    fit = LogisticRegression(C=10).training(seen, true)
    weights = [fit.intercept_[0], *fit.coef_[0]]
    return {
        "proposals": len(true),
        "true": int(true.sum()),
        "weights": [round(float(weight), 2) for weight in weights],
        "reliability": reliability(fit.predict_proba(seen)[:, 1], true),
    }


def reliability(sure: NDArray[np.float64], true: NDArray[np.bool_]) -> list[dict[str, Any]]:
    told = []
    for low, high in ((0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 0.9), (0.9, 1.01)):
        inside = (sure >= low) & (sure < high)
        share = round(float(true[inside].mean()), 3) if inside.any() else None
        told.append({"confidence_from": low, "proposals": int(inside.sum()), "are_faces": share})
    return told


def crowd(width: int, height: int, face: int) -> tuple[Pixels, int]:
    """A large group photo: the portraits' montage, small, in rows; and the number of its faces."""
    scale = face / PORTRAITS["astronaut"].width
    small = cv2.resize(load_portrait("portraits"), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    picture = np.full((height, width, 3), 96, np.uint8)
    places = [
        (x, y)
        for y in range(0, height - small.shape[0], small.shape[0] * 4)
        for x in range(0, width - small.shape[1], small.shape[1] * 3)
    ]
    for x, y in places:
        picture[y : y + small.shape[0], x : x + small.shape[1]] = small
    return picture, 2 * len(places)


def photos_640() -> list[Pixels]:
    """Real photos at 640 pixels: the portraits, and scikit-learn's two without a face."""
    real = [load_portrait(name) for name in (*PORTRAITS, "portraits")] + load_sample_photos()
    scales = [640 / max(photo.shape) for photo in real]
    return [
        np.asarray(cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        for photo, scale in zip(real, scales, strict=True)
    ]


def median_ms(work: Callable[[], object], rounds: int) -> float:
    work()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return round(statistics.median(times) * 1000, 1)


def times(detector: Detector, rounds: int) -> dict[str, Any]:
    """Milliseconds: medians over rounds for each photo, then over photos."""
    each = [median_ms(lambda photo=photo: detector.detect(photo), rounds) for photo in photos_640()]  # type: ignore[misc]
    return {"photo_640_ms": statistics.median(each), "photos_640_ms": each}


def large(detector: Detector) -> dict[str, Any]:
    picture, faces = crowd(6000, 4000, 24)
    return {
        "24_megapixels_ms": median_ms(lambda: detector.detect(picture), 3),
        "24_megapixels_min_face_24_ms": median_ms(lambda: detector.detect(picture, min_face=24), 1),
        "24_megapixels_faces": faces,
        "24_megapixels_found": len(detector.detect(picture, min_face=24)),
    }


def whole_read(detector: Detector, rounds: int) -> dict[str, Any]:
    """From the JPEG file to the answer, one face, 512 x 512 and 512 x 600 pixels, warm."""
    engine = Engine(load_classifier(resolve_model("base")), detector)
    return {
        f"read_{name}_ms": median_ms(lambda path=EXAMPLES / f"{name}.jpg": engine.read(path), rounds)  # type: ignore[misc]
        for name in PORTRAITS
    }


def timed(names: Iterable[str], yunet: Path | None, rounds: int) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for threads in (1, 2):
        for name in names:
            detector = load_detector(name, yunet=yunet, threads=threads)
            told[f"{name}, {threads} thread(s)"] = times(detector, rounds) | whole_read(detector, rounds)
            print(name, threads, told[f"{name}, {threads} thread(s)"], flush=True)
    for name in names:
        told[f"{name}, large"] = large(load_detector(name, yunet=yunet))
        print(name, told[f"{name}, large"], flush=True)
    return told


def counted(names: Iterable[str], yunet: Path | None, faces: Faces) -> dict[str, Any]:
    told: dict[str, Any] = {}
    shown = portraits(seed=1, times=6)
    for name in names:
        detector = load_detector(name, yunet=yunet)
        told[name] = {"portraits": {word: hits(detector, pictures) for word, pictures in shown.items()}}
        told[name]["training faces in scenes, 40 to 240 pixels"] = hits(
            detector, draw_scenes(faces, seed=9, smallest=40)
        )
        told[name]["training faces, tight, 48 to 640 pixels"] = hits(detector, tight(faces))
        told[name]["no face"] = false_hits(detector, draw_non_faces(seed=9))
        print(name, told[name], flush=True)
    return told


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--data", type=Path, required=True, help="fer2013.npz or fer2013.csv")
    words.add_argument("--yunet", type=Path, help="YuNet's model file; without it only Haar is measured")
    words.add_argument("--faces", type=int, default=400)
    words.add_argument("--rounds", type=int, default=9)
    words.add_argument("--only", choices=["times", "hits", "haar confidence"], help="measure one part, write nothing")
    given = words.parse_args()
    names = ("haar", "yunet") if given.yunet else ("haar",)
    faces = load_fer2013(given.data, "Training").sample(given.faces, seed=61)
    parts: dict[str, Callable[[], Any]] = {
        "times": lambda: timed(names, given.yunet, given.rounds),
        "hits": lambda: counted(names, given.yunet, faces),
        "haar confidence": lambda: confidence(
            load_fer2013(given.data, "Training").sample(3 * given.faces, seed=62),
            draw_non_faces(seed=51, backgrounds=600, crops=100),
        ),
    }
    figures = {part: measure() for part, measure in parts.items() if given.only in (None, part)}
    if given.only:
        print(figures[given.only])
    else:
        write_result("detectors", figures)


if __name__ == "__main__":
    main()
