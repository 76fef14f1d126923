"""Targets of the embedded models and their results: write results/models.md from the files of accuracy.py.

python benchmarks/models.py            write it
python benchmarks/models.py --check    exit 1 when it does not match the results
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
    """A limit for a value of a result file. ``upper``: the value must not be above the limit, else not below it."""

    name: str
    limit: float
    read: Callable[[Figures], float]
    format: Callable[[float], str]
    upper: bool = False

    def is_met(self, figures: Figures) -> bool:
        value = self.read(figures)
        return value <= self.limit if self.upper else value >= self.limit


def format_megabytes(value: float) -> str:
    return f"{value / 1e6:.2f} MB"


def format_milliseconds(value: float) -> str:
    return f"{value:.2f} ms"


def format_points(value: float) -> str:
    return f"{100 * value:.1f} points"


def format_error(value: float) -> str:
    return f"{value:.3f}"


def read_latency(figures: Figures) -> float:
    """The median of single faces after a warm-up, with the embedded file."""
    return float(figures["one_face_one_core_ms"]["median"])


def read_metric(key: str) -> Callable[[Figures], float]:
    return lambda figures: figures["public"][key]


def read_loss(corruption: str, strength: float) -> Callable[[Figures], float]:
    """A function that reads the accuracy lost under one corruption on the validation faces."""

    def read(figures: Figures) -> float:
        rows = {(row["corruption"], row["strength"]): row["lost"] for row in figures["corruptions"]}
        return rows[corruption, strength]

    return read


def make_targets(
    size: float, latency: float, accuracy: float, balanced: float, votes: float, ece: float, coverage: float
) -> list[Target]:
    """The targets of a model that is not only for teaching."""
    return [
        Target("file in the wheel", size, lambda figures: figures["model"]["bytes"], format_megabytes, True),
        Target("one face, one core", latency, read_latency, format_milliseconds, True),
        Target("PublicTest, one pass", accuracy, read_metric("accuracy"), format_percent),
        Target(
            "lost without duplicates",
            0.02,
            lambda figures: figures["public"]["accuracy"] - figures["public"]["accuracy_no_duplicates"],
            format_points,
            True,
        ),
        Target("balanced accuracy", balanced, read_metric("balanced_accuracy"), format_percent),
        Target("FER+ majority, eight expressions", votes, read_metric("votes_accuracy"), format_percent),
        Target("calibration error (ECE)", ece, read_metric("ece"), format_error, True),
        Target("accuracy at 70 % coverage", coverage, read_metric("accuracy_at_coverage_70"), format_percent),
    ]


ROBUSTNESS = [
    Target("lost at a shift of 10 %", 0.02, read_loss("shift", 0.1), format_points, True),
    Target("lost at JPEG quality 30", 0.03, read_loss("jpeg", 30), format_points, True),
    Target("lost at 24 pixels", 0.06, read_loss("small", 24), format_points, True),
    Target("lost at 15 degrees", 0.04, read_loss("turn", 15), format_points, True),
    Target(
        "uncertain on images without a face",
        0.9,
        lambda figures: fmean(figures["uncertain_on_non_faces"].values()),
        format_percent,
    ),
]

MODELS = {
    "base": [*make_targets(6e6, 1.5, 0.725, 0.69, 0.84, 0.02, 0.84), *ROBUSTNESS],
    "small": make_targets(0.8e6, 0.4, 0.70, 0.665, 0.81, 0.025, 0.81),
    "classic": [
        Target("file in the wheel", 1.5e6, lambda figures: figures["model"]["bytes"], format_megabytes, True),
        Target("PublicTest, one pass", 0.63, read_metric("accuracy"), format_percent),
    ],
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the page is not current")
    check = parser.parse_args().check
    stale = not PAGE.exists() or PAGE.read_text(encoding="utf-8") != render_page()
    if stale:
        print(f"{'not current' if check else 'written'}: {PAGE.name}")
        if not check:
            PAGE.write_text(render_page(), encoding="utf-8")
    return int(check and stale)


def render_page() -> str:
    head = "# Targets and results of the embedded models\n\nWritten by `python benchmarks/models.py`."
    return "\n".join([head, *(part for name in MODELS for part in ("", f"## {name}", "", render_section(name)))]) + "\n"


def render_section(name: str) -> str:
    path = RESULTS / f"accuracy-{name}.json"
    if not path.exists():
        return "*Not measured yet.*"
    result = json.loads(path.read_text(encoding="utf-8"))
    rows = [make_row(target, result["figures"]) for target in MODELS[name]]
    evaluations = f"This model was evaluated {format_count(result['figures']['evaluations'])} on PublicTest. "
    corrupted = any(target in ROBUSTNESS for target in MODELS[name])
    note = "Points lost under corruptions are measured on the validation faces." if corrupted else ""
    notes = [describe_people(result["figures"]["public"]), (evaluations + note).strip()]
    notes += describe_chance(result["figures"]["public"])
    return "\n\n".join([format_table(["", "target", "result", "met"], rows), *notes, describe_origin(result)])


def describe_people(metrics: Figures) -> str:
    """The accuracy of the target people, for which no limit is set."""
    people = metrics["people"]
    return (
        f"The accuracies are those of the label. For people, what at least half of the annotators chose, the accuracy "
        f"is {format_percent(people['accuracy'])} on {people['faces']:,} faces, and the balanced accuracy "
        f"{format_percent(people['balanced_accuracy'])}."
    )


def describe_chance(metrics: Figures) -> list[str]:
    """The calibration error that is expected by chance; older results do not have it."""
    if "ece_by_chance" not in metrics:
        return []
    mean, high = map(format_error, metrics["ece_by_chance"])
    chance = f"The calibration error of a perfectly calibrated model on {metrics['faces']:,} faces is {mean} by chance,"
    return [f"{chance} and above {high} in one of twenty cases."]


def make_row(target: Target, figures: Figures) -> list[str]:
    limit = f"{'≤' if target.upper else '≥'} {target.format(target.limit)}"
    try:
        met, value = target.is_met(figures), target.format(target.read(figures))
    except KeyError:
        return [target.name, limit, "*not measured*", ""]
    if not met and value == target.format(target.limit):
        value += f", just {'above' if target.upper else 'below'}"
    return [target.name, limit, value, "yes" if met else "no"]


if __name__ == "__main__":
    sys.exit(main())
