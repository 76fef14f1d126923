"""Do the embedded models' maps tell the truth? Writes results/audit.json, and what it comes to into their cards.

    python benchmarks/audit.py --data fer2013.csv                        every embedded model, 500 faces of PublicTest
    python benchmarks/audit.py --data fer2013.csv --models base          one of them
    python benchmarks/audit.py --data fer2013.csv --cards                and write the figures into the models' cards

Nothing is fitted or chosen on PublicTest here: the methods are looked at, and their default is the first that holds.
``--cards`` writes the card inside each ``.onnx`` file anew and seals the folder; run it after a model was replaced.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import _machine

from mien.lab.audit import audit, drawn_faces
from mien.lab.audit_sheet import for_card, text
from mien.lab.sources import read
from mien.models import ModelCard, available, locate, write_card
from mien.models.seal import WEIGHTS, seal, seals


def main() -> None:
    options = arguments()
    faces = read(options.data).faces
    pixels = drawn_faces(faces, "public", options.faces)
    figures = kept()
    for name in options.models or tuple(seals()):
        found = audit(locate(name), pixels, split="PublicTest", progress=told).figures
        print(f"\n{text(found)}", file=sys.stderr)
        figures[name] = found
        if options.cards:
            into_card(name, found)
    print(f"written: {_machine.write('audit', figures).name}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="fer2013.csv, with fer2013new.csv beside it")
    parser.add_argument("--models", nargs="+", choices=available(), help="only these")
    parser.add_argument("--faces", type=int, default=500)
    parser.add_argument("--cards", action="store_true", help="write the figures into the embedded models' cards")
    return parser.parse_args()


def kept() -> dict[str, Any]:
    """The figures of models that are not audited this time."""
    place = _machine.RESULTS / "audit.json"
    before: dict[str, Any] = json.loads(place.read_text())["figures"] if place.exists() else {}
    return {name: figures for name, figures in before.items() if name in available()}


def into_card(name: str, figures: dict[str, Any]) -> None:
    """The audit joins the scores on the card; all else in the file stays byte by byte."""
    path = Path(WEIGHTS, f"{name}.onnx")
    model = path.read_bytes()
    card = ModelCard.read(model)
    path.write_bytes(write_card(model, replace(card, scores={**card.scores, "maps": for_card(figures)})))
    seal()


def told(done: int, total: int) -> None:
    if done % 50 == 0 or done == total:
        print(f"\r{done:,} of {total:,}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
