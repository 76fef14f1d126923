"""From a finished run to a file every window can load: ONNX with its card inside, refused unless both sides agree.

python -m mien.lab.export runs/base --data fer2013.csv --to base.onnx
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mien.errors import LabError, MienError
from mien.lab import calibrate, checkpoint, nets
from mien.lab.calibrate import Calibration
from mien.lab.data import Faces, divide
from mien.lab.evaluate import evaluate
from mien.lab.graph import onnx_model
from mien.lab.quantise import int8
from mien.lab.recipe import Recipe
from mien.lab.scores import accuracy
from mien.labels import VOTES
from mien.models import ModelCard, OnnxClassifier, write_card

log = logging.getLogger(__name__)

LICENSE = "See the LICENSE beside the weights: trained on FER2013 and FER+, whose rights are unresolved."

#: Training faces from which the int8 file learns its ranges.
CALIBRATION = 2000

#: Faces in one pass of Keras.
BATCH = 250

#: How far a share may differ between Keras and ONNX Runtime.
TOLERANCE = 1e-4


def export(
    run: Path,
    faces: Faces,
    target: Path,
    *,
    name: str = "",
    eight_bit: bool = False,
    notes: Mapping[str, Any] | None = None,
) -> ModelCard:
    """Writes the run's averaged net, calibrated on its held-out faces, to ``target``; the card it carries.

    ``eight_bit`` makes the int8 file; what that costs on the held-out faces is written into the card. ``notes`` are
    further entries for the card's scores, such as how often the reported split was looked at.
    """
    recipe = checkpoint.recipe_of(run)
    model = trained(run, recipe)
    faces = faces.only(recipe.data.classes)
    learned, kept = divide(recipe, faces)
    fitted = calibration(model, kept)
    card = card_of(model, recipe, fitted, name or recipe.name)
    proto = onnx_model(model, fitted.temperatures)
    content = write_card(proto.SerializeToString(), card)
    difference = refuse_unless_equal(model, fitted, OnnxClassifier(content), kept.pixels[:60])
    log.info("Keras and ONNX Runtime differ by %.1e at most", difference)
    scores = {"precision": "float32", "held_out_accuracy": _accuracy(content, kept)}
    if eight_bit:
        content = write_card(int8(proto, learned.pixels[:CALIBRATION]).SerializeToString(), card)
        scores |= {"precision": "int8", "held_out_accuracy_int8": _accuracy(content, kept)}
    card = replace(card, scores=rounded({**evaluate(OnnxClassifier(content), faces), **scores, **(notes or {})}))
    checkpoint.write_whole(target, write_card(content, card))
    return card


def _accuracy(content: bytes, kept: Faces) -> float:
    return accuracy(OnnxClassifier(content).run(kept.pixels[..., None]).shares, kept.labels)


def rounded(figures: Any) -> Any:
    """Nested figures with four places after the point: what a card can honestly claim."""
    if isinstance(figures, dict):
        return {key: rounded(value) for key, value in figures.items()}
    if isinstance(figures, list | tuple):
        return [rounded(value) for value in figures]
    return round(figures, 4) if isinstance(figures, float) else figures


def trained(run: Path, recipe: Recipe) -> keras.Model:
    """The run's averaged net in float32, whatever it was trained in."""
    model = nets.of_recipe(recipe, "float32")
    checkpoint.load(run, model)
    return model


def calibration(model: keras.Model, kept: Faces) -> Calibration:
    """Temperatures and thresholds from faces the net never saw."""
    goals = {"shares": np.eye(len(kept.classes))[kept.labels], "votes": kept.vote_shares()}
    return calibrate.calibrate(logits_by_head(model, kept.pixels), goals)


def logits_by_head(model: keras.Model, pixels: np.ndarray) -> dict[str, np.ndarray]:
    """Logits (N, K) under each head's name, for uint8 faces (N, 48, 48)."""
    batches = [pixels[i : i + BATCH, ..., None].astype(np.float32) for i in range(0, len(pixels), BATCH)]
    answers = [keras.tree.flatten(model(faces, training=False)) for faces in batches]
    return {
        name: np.concatenate([np.asarray(answer[head]) for answer in answers])
        for head, name in enumerate(model.output_names)
    }


def refuse_unless_equal(
    model: keras.Model, fitted: Calibration, classifier: OnnxClassifier, pixels: np.ndarray
) -> float:
    """The largest difference of any share, by ones and by threes; a LabError where it passes the tolerance."""
    wanted = [
        calibrate.softmax(logits / fitted.temperatures[head]) for head, logits in logits_by_head(model, pixels).items()
    ]
    worst = 0.0
    for size in (1, 3):
        batches = [classifier.run(pixels[i : i + size, ..., None]) for i in range(0, len(pixels) - size + 1, size)]
        for goal, found in zip(wanted, zip(*batches, strict=True), strict=False):
            answers = np.concatenate(found)
            worst = max(worst, float(np.abs(answers - goal[: len(answers)]).max()))
    if not worst <= TOLERANCE:
        raise LabError(
            f"Keras and ONNX Runtime differ by {worst:.2e}",
            f"at most {TOLERANCE:.0e} was expected",
            "Nothing was written",
        )
    return worst


def card_of(model: keras.Model, recipe: Recipe, fitted: Calibration, name: str) -> ModelCard:
    """What the file says about itself, but for the scores."""
    return ModelCard(
        name=name,
        labels=recipe.data.classes,
        vote_labels=VOTES if "votes" in fitted.temperatures else (),
        side=nets.SIDE,
        temperature=fitted.temperatures["shares"],
        votes_temperature=fitted.temperatures.get("votes", 1.0),
        uncertain_below=fitted.uncertain_below,
        mixture_above=fitted.mixture_above,
        parameters=model.count_params(),
        multiply_adds=nets.multiply_adds(model),
        recipe=recipe.to_table(),
        license=LICENSE,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )


def main() -> None:
    """``python -m mien.lab.export runs/base --data fer2013.csv --to base.onnx``."""
    import argparse

    from mien.lab import data

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    words = argparse.ArgumentParser(
        prog="python -m mien.lab.export", description="Write a run as an ONNX file with its card."
    )
    words.add_argument("run", type=Path)
    words.add_argument("--data", type=Path, required=True)
    words.add_argument("--to", type=Path, required=True)
    words.add_argument("--name", default="")
    words.add_argument("--int8", action="store_true", help="write the eight-bit file")
    words.add_argument("--looks", type=int, default=1, help="how often PublicTest was looked at, this time counted")
    given = words.parse_args()
    try:
        faces, notes = data.read(given.data), {"looks": given.looks}
        card = export(given.run, faces, given.to, name=given.name, eight_bit=given.int8, notes=notes)
    except MienError as error:
        raise SystemExit(str(error)) from None
    log.info("%s", card.to_json())


if __name__ == "__main__":
    main()
