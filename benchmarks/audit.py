"""Do the embedded models' maps tell the truth? Writes results/audit.json, and what it comes to into their cards.

    python benchmarks/audit.py --data fer2013.csv                    every embedded model, 500 faces of PublicTest
    python benchmarks/audit.py --data fer2013.csv --models base      one of them
    python benchmarks/audit.py --cards                               only write what was measured into the cards

Nothing is fitted or chosen on PublicTest here: the methods are looked at, and their default is the first that holds.
``--cards`` writes the card inside each ``.onnx`` file anew and seals the folder; it refuses figures of another network.
After a model was replaced, run it with ``--data``, ``--missing`` and ``--cards``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import _machine
from _tables import Figures, format_table

from mien.models import ModelCard, available_models, resolve_model, write_card
from mien.models.checksums import WEIGHTS, read_checksums, write_checksums


def main() -> None:
    options = arguments()
    figures = kept()
    models = [
        name for name in options.models or read_checksums() if not (options.missing and is_current(name, figures))
    ]
    if options.data and models:
        figures |= measured(options.data, models, options.faces)
        print(f"written: {_machine.write('audit', figures).name}")
    for name in read_checksums() if options.cards else ():
        into_card(name, figures)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="fer2013.csv, with fer2013new.csv beside it; without it nothing is measured")
    parser.add_argument("--models", nargs="+", choices=available_models(), help="only these")
    parser.add_argument("--missing", action="store_true", help="only models that are not the networks audited before")
    parser.add_argument("--faces", type=int, default=500)
    parser.add_argument("--cards", action="store_true", help="write the figures into the embedded models' cards")
    return parser.parse_args()


def measured(data: str, models: list[str], count: int) -> dict[str, Any]:
    from mien.datasets.loading import load_dataset
    from mien.evaluation.map_audit import audit_maps, sample_faces
    from mien.evaluation.map_audit_report import format_audit

    pixels = sample_faces(load_dataset(data).faces, "public", count)
    figures = {}
    for name in models:
        found = audit_maps(resolve_model(name), pixels, split="PublicTest", progress=told).figures
        print(f"\n{format_audit(found)}", file=sys.stderr)
        figures[name] = {**found, "fingerprint": fingerprint(resolve_model(name).read_bytes())}
    return figures


def kept() -> dict[str, Any]:
    """The figures of models that are not audited this time."""
    place = _machine.RESULTS / "audit.json"
    before: dict[str, Any] = json.loads(place.read_text())["figures"] if place.exists() else {}
    return {name: figures for name, figures in before.items() if name in available_models()}


def fingerprint(model: bytes) -> str:
    """The same for the same network, whatever its card says."""
    card = ModelCard.read(model)
    return hashlib.sha256(write_card(model, ModelCard("any", card.labels))).hexdigest()


def is_current(name: str, figures: dict[str, Any]) -> bool:
    """Were these figures measured on the network that is embedded under this name now?"""
    return bool(figures.get(name, {}).get("fingerprint") == fingerprint(resolve_model(name).read_bytes()))


def into_card(name: str, figures: dict[str, Any]) -> None:
    """The audit joins the scores on the card; all else in the file stays byte by byte."""
    from mien.evaluation.map_audit_report import card_values

    path = Path(WEIGHTS, f"{name}.onnx")
    if not is_current(name, figures):
        raise SystemExit(f"{name} is not the network that was audited: run this again with --data")
    model = path.read_bytes()
    card = ModelCard.read(model)
    told = write_card(model, replace(card, metrics={**card.metrics, "maps": card_values(figures[name])}))
    if told != model:  # what is current keeps its date, so that nothing that hangs on it is measured again
        path.write_bytes(told)
        write_checksums()
        print(f"written into the card of {name}")


def told(done: int, total: int) -> None:
    if done % 50 == 0 or done == total:
        print(f"\r{done:,} of {total:,}", end="", file=sys.stderr, flush=True)


def audit_table(figures: Figures) -> str:
    """Every method and baseline of every model that was audited."""
    header = [
        "map",
        "deletion, low is good",
        "insertion, high is good",
        "better than",
        "stability",
        "weight randomization",
        "verdict",
    ]
    rows = [map_row(model, name, row) for model, told in figures.items() for name, row in audited_maps(told)]
    verdicts = "\n\n".join(told["summary"] for told in figures.values())
    return f"{format_table(header, rows)}\n\n{verdicts}"


def audited_maps(told: Figures) -> Iterator[tuple[str, Figures]]:
    yield from told["methods"].items()
    yield from told["baselines"].items()


def map_row(model: str, name: str, row: Figures) -> Sequence[str]:
    areas = ["{:.3f} ({:.3f} to {:.3f})".format(*row[curve]) for curve in ("deletion", "insertion")]
    if "against" not in row:
        return [f"{model}: {name}", *areas, "", "", "", ""]
    beats = [other for other, gain in row["against"].items() if all(low > 0 for _, low, _ in gain.values())]
    steady, last = row["stability"][0], row["weight_randomization"][-1]["similarity"]
    return [f"{model}: {name}", *areas, ", ".join(beats) or "none", f"{steady:.2f}", f"{last:.2f}", row["verdict"]]


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "audit": ("audit", audit_table),
}


if __name__ == "__main__":
    main()
