"""What the embedded models shall be and what they are: writes results/models.md from the files of accuracy.py.

python benchmarks/models.py            write it
python benchmarks/models.py --check    exit 1 when it is not what the results say
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from statistics import fmean
from typing import Any, NamedTuple

from _tables import RESULTS, describe_origin, format_count, format_percent, format_table

Figures = dict[str, Any]
PAGE = RESULTS / "models.md"


class Target(NamedTuple):
    """What is asked: words, a number, how a figure is read and told. ``most``: the figure must not pass it."""

    words: str
    wanted: float
    read: Callable[[Figures], float]
    told: Callable[[float], str]
    most: bool = False

    def met(self, figures: Figures) -> bool:
        found = self.read(figures)
        return found <= self.wanted if self.most else found >= self.wanted


def megabytes(value: float) -> str:
    return f"{value / 1e6:.2f} MB"


def milliseconds(value: float) -> str:
    return f"{value:.2f} ms"


def points(value: float) -> str:
    return f"{100 * value:.1f} points"


def error(value: float) -> str:
    return f"{value:.3f}"


def median(figures: Figures) -> float:
    """Of single faces, warm, with the file as shipped."""
    return float(figures["one_face_one_core_ms"]["median"])


def public(key: str) -> Callable[[Figures], float]:
    return lambda figures: figures["public"][key]


def lost(corruption: str, strength: float) -> Callable[[Figures], float]:
    """Of accuracy, under one corruption, on the held-out faces."""

    def read(figures: Figures) -> float:
        rows = {(row["corruption"], row["strength"]): row["lost"] for row in figures["held_out_spoilt"]}
        return rows[corruption, strength]

    return read


def targets(
    size: float, time: float, accuracy: float, balanced: float, votes: float, ece: float, surest: float
) -> list[Target]:
    """The table of a model that is more than a lesson."""
    return [
        Target("file in the wheel", size, lambda figures: figures["model"]["bytes"], megabytes, True),
        Target("one face, one core", time, median, milliseconds, True),
        Target("PublicTest, one pass", accuracy, public("accuracy"), format_percent),
        Target(
            "lost without the twins",
            0.02,
            lambda figures: figures["public"]["accuracy"] - figures["public"]["accuracy_no_twins"],
            points,
            True,
        ),
        Target("balanced accuracy", balanced, public("balanced_accuracy"), format_percent),
        Target("FER+ majority, eight expressions", votes, public("votes_accuracy"), format_percent),
        Target("calibration error (ECE)", ece, public("ece"), error, True),
        Target("accuracy on the surest 70 %", surest, public("accuracy_surest_70"), format_percent),
    ]


HOLDING = [
    Target("lost at a shift of 10 %", 0.02, lost("shift", 0.1), points, True),
    Target("lost at JPEG quality 30", 0.03, lost("jpeg", 30), points, True),
    Target("lost at 24 pixels", 0.06, lost("small", 24), points, True),
    Target("lost at 15 degrees", 0.04, lost("turn", 15), points, True),
    Target(
        "uncertain of things that are no faces",
        0.9,
        lambda figures: fmean(figures["uncertain_of_nothing"].values()),
        format_percent,
    ),
]

MODELS = {
    "base": [*targets(6e6, 1.5, 0.725, 0.69, 0.84, 0.02, 0.84), *HOLDING],
    "small": targets(0.8e6, 0.4, 0.70, 0.665, 0.81, 0.025, 0.81),
    "classic": [
        Target("file in the wheel", 1.5e6, lambda figures: figures["model"]["bytes"], megabytes, True),
        Target("PublicTest, one pass", 0.63, public("accuracy"), format_percent),
    ],
}


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--check", action="store_true", help="write nothing; exit 1 when the page is not current")
    check = words.parse_args().check
    stale = not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page()
    if stale:
        print(f"{'not current' if check else 'written'}: {PAGE.name}")
        if not check:
            PAGE.write_text(page(), encoding="utf-8")
    return int(check and stale)


def page() -> str:
    head = "# The embedded models beside what was asked of them\n\nWritten by `python benchmarks/models.py`."
    return "\n".join([head, *(part for name in MODELS for part in ("", f"## {name}", "", section(name)))]) + "\n"


def section(name: str) -> str:
    place = RESULTS / f"accuracy-{name}.json"
    if not place.exists():
        return "*Not measured yet.*"
    result = json.loads(place.read_text(encoding="utf-8"))
    rows = [line(target, result["figures"]) for target in MODELS[name]]
    looks = f"PublicTest was looked at {format_count(result['figures']['looks'])} for this model. "
    corrupted = any(target in HOLDING for target in MODELS[name])
    held = "What is lost under corruptions is measured on the Training faces that were held out." if corrupted else ""
    told = [(looks + held).strip(), *by_chance(result["figures"]["public"])]
    return "\n\n".join([format_table(["", "target", "figure", "met"], rows), *told, describe_origin(result)])


def by_chance(sheet: Figures) -> list[str]:
    """What the calibration error is to be held against; sheets of before do not have it."""
    if "ece_by_chance" not in sheet:
        return []
    mean, high = map(error, sheet["ece_by_chance"])
    honest = f"A model whose shares are exactly honest has a calibration error of {mean} on {sheet['faces']:,} faces,"
    return [f"{honest} by chance alone, and one time in twenty more than {high}."]


def line(target: Target, figures: Figures) -> list[str]:
    sign = "≤" if target.most else "≥"
    wanted = f"{sign} {target.told(target.wanted)}"
    try:
        found, met = target.read(figures), target.met(figures)
        told = target.told(found)
        if not met and told == target.told(target.wanted):
            told += f", just {'over' if target.most else 'under'}"
        return [target.words, wanted, told, "yes" if met else "no"]
    except KeyError:
        return [target.words, wanted, "*not measured*", ""]


if __name__ == "__main__":
    sys.exit(main())
