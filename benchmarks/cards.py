"""Writes docs/models/NAME.md, what everybody should know of an embedded model, from its file and its measured figures.

python benchmarks/cards.py              write every card
python benchmarks/cards.py --pictures   draw the pictures of what it gets wrong as well
python benchmarks/cards.py --check      exit 1 when a card is not what the file and the results say
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import _wrong
from _tables import RESULTS, ROOT, describe_origin, format_count, format_percent, format_table

from mien.models import ModelCard
from mien.models.checksums import WEIGHTS, read_checksums

PAGES = ROOT / "docs" / "models"
PICTURES = ROOT / "docs" / "images"
Figures = Mapping[str, Any]

#: Standard deviations on either side that hold 95 % of a normal distribution.
_Z = 1.96

#: Watts of the cores that train, where nobody measured them.
WATTS = 30

PURPOSE = {
    "base": "The model that every window of mien uses unless told otherwise.",
    "small": "For slow machines and many faces: the net of `base` with one view of a face, in a fraction of the time.",
    "classic": "For teaching: the network that every course draws, with pooling, a flatten and a dense layer.",
}

RIGHTS = """\
FER2013 (Goodfellow and others, 2013): 48-pixel gray faces that were collected from the web by search engine, one label
each. FER+ (Barsoum and others, 2016): what ten people said of the same faces. No licence from the people who took these
pictures, or from those who are seen in them, is known to us, and whether weights trained on them carry rights of others
is not settled. Before any use beyond teaching and research take advice, or train on pictures that you have the rights
to.

The faces were taken from the web as it was in 2013: some ages, skin tones and countries are hardly among them, acted
expressions are frequent, and labels are often wrong: people find the label of a face about 65 times in 100."""

NOT_FOR = """\
- Never to decide anything about a person: not for hiring, school marks, insurance, policing, borders, or proctoring.
  In the European Union inferring emotions at work and in education is forbidden but for medical and safety reasons.
- It says what an expression looks like, never what somebody feels. People smile out of politeness and frown out of
  thought.
- Not for watching people who do not know of it.
- Not for children, patients, or faces that are covered, without measuring it on such faces first (`mien robustness
  --groups`)."""


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--check", action="store_true", help="write nothing; exit 1 when a card is not current")
    words.add_argument("--pictures", action="store_true", help="draw what the models get wrong, too")
    given = words.parse_args()
    pages = {PAGES / f"{name}.md": page(name) for name in read_checksums()}
    stale = {path: text for path, text in pages.items() if not path.exists() or path.read_text("utf-8") != text}
    for path, text in stale.items():
        print(f"{'not current' if given.check else 'written'}: {path.name}")
        if not given.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if given.pictures and not given.check:
        for name in read_checksums():
            _wrong.draw(name, PICTURES / f"{name}-wrong.png")
    return int(given.check and bool(stale))


def page(name: str) -> str:
    """The whole card."""
    path = WEIGHTS / f"{name}.onnx"
    card = ModelCard.read(path)
    result = read(f"accuracy-{name}")
    parts = [
        f"# {card.name}",
        f"{PURPOSE.get(name, '')} Written by `python benchmarks/cards.py`; `mien models show {name}` prints what the "
        "file itself says.",
        file(name, card, result["figures"] if result else {}),
        *(measured(card, result) if result else ["*Not measured yet.*"]),
        *rivals(name),
        *wrong(name, result["figures"] if result else {}),
        *maps(card),
        f"## What it learned from\n\n{RIGHTS}",
        f"## What it must not be used for\n\n{NOT_FOR}",
        recipe(card),
    ]
    return "\n\n".join(parts) + "\n"


def read(name: str) -> dict[str, Any] | None:
    place = RESULTS / f"{name}.json"
    return json.loads(place.read_text(encoding="utf-8")) if place.exists() else None


def _net(card: ModelCard) -> Mapping[str, Any]:
    """The settings of its net; empty where its recipe is told in words."""
    return card.recipe.get("net", {}) if isinstance(card.recipe, Mapping) else {}


def file(name: str, card: ModelCard, figures: Figures) -> str:
    seal = read_checksums()[name]
    time = figures.get("one_face_one_core_ms", {}).get("median")
    votes = f"; votes: {', '.join(card.vote_labels)}" if card.vote_labels else ""
    told = {2: ", and its mirror image", 4: ", and its mirror image, each from two corners"}
    views = told.get(_net(card).get("views", 1), "")
    views += "; answers with the mean" if views else ""
    rows = [
        ("size", f"{seal.size:,} bytes"),
        ("SHA-256", f"`{seal.sha256}`"),
        ("made", f"{card.date}, card version {card.version}"),
        ("sees", f"a face of {card.side} x {card.side} pixels, {card.color}, raw 0 to 255{views}"),
        ("answers", f"{', '.join(card.labels)}{votes}"),
        ("parameters", f"{card.parameters:,}"),
        ("multiply-adds", f"{card.multiply_adds:,}"),
        *([("one face on one core", f"{time:.2f} ms")] if time else []),
        ("uncertain", f"below {format_percent(card.uncertain_below)} for the first expression"),
        (
            "mixture",
            f"names every expression with {format_percent(card.mixture_above)} of the votes" if votes else "none",
        ),
        ("licence", card.license),
    ]
    return format_table(["the file", ""], rows).replace("---:", "---")


def measured(card: ModelCard, result: Figures) -> Iterator[str]:
    figures = result["figures"]
    sheet = figures["public"]
    looks = f"PublicTest was looked at {format_count(figures['looks'])} for this model, and never trained or tuned on."
    brackets = "In brackets are 95 % intervals."
    yield f"## How right it is\n\n{scores(sheet)}\n\n{brackets} {looks} {describe_origin(result)}"
    yield f"### By expression\n\n{classes(sheet)}"
    yield f"## Does it know when it does not know?\n\n{doubt(figures)}"
    yield f"## When faces are not as they should be\n\n{holds(figures['held_out_spoilt'])}"
    if groups := figures.get("held_out_groups"):
        yield f"## For some faces as for others\n\n{grouped(groups)}"


def scores(sheet: Figures) -> str:
    low, high = sheet["ci95"]
    mixture = sheet.get("mixture")
    rows = [
        ("accuracy", f"{format_percent(sheet['accuracy'])} ({100 * low:.1f} to {100 * high:.1f})"),
        ("without faces that have a twin in training", ranged(sheet["accuracy_no_twins"], sheet["faces_no_twins"])),
        ("balanced accuracy", balanced(sheet)),
        ("macro F1", format_percent(sheet["macro_f1"])),
        ("area under the ROC curve", f"{sheet['auc_macro']:.3f}"),
        ("accuracy on the surest 70 %", ranged(sheet["accuracy_surest_70"], round(0.7 * sheet["faces"]))),
        ("calibration error (ECE)", calibration(sheet)),
        ("log loss; Brier score; Cohen's kappa", f"{sheet['nll']:.3f}; {sheet['brier']:.3f}; {sheet['kappa']:.3f}"),
    ]
    if "votes_accuracy" in sheet:
        people = ranged(sheet["votes_accuracy"], sheet["votes_faces"])
        rows.append(("what most of ten people said (FER+), eight expressions", people))
        rows.append(("distance from the voters' shares (KL)", f"{sheet['votes_divergence']:.3f} nats"))
    if mixture:
        rows.append(("its second expression is people's second", format_percent(sheet["votes_second"] or 0)))
        told = f"{format_percent(mixture['precision'])} right, {format_percent(mixture['recall'])} found"
        rows.append(("mixtures: expressions a fifth of people named", told))
    return format_table([f"PublicTest, {sheet['faces']:,} faces", ""], rows)


def calibration(sheet: Figures) -> str:
    mean, high = sheet.get("ece_by_chance") or (None, None)
    honest = "" if mean is None else f" (exactly honest shares: {mean:.3f} by chance, up to {high:.3f})"
    return f"{sheet['ece']:.3f}{honest}"


def classes(sheet: Figures) -> str:
    rows = [
        (
            label,
            row["support"],
            ranged(row["precision"], row["named"]),
            ranged(row["recall"], row["support"]),
            f"{row['f1']:.2f}",
        )
        for label, row in sheet["per_class"].items()
    ]
    return format_table(["expression", "faces", "right when it says so", "found when it is so", "F1"], rows)


def ranged(share: float, faces: int) -> str:
    """A share of so many faces with its 95 % interval, after Wilson."""
    if not faces:
        return "-"
    middle = (share + _Z**2 / (2 * faces)) / (1 + _Z**2 / faces)
    half = _Z / (1 + _Z**2 / faces) * math.sqrt(share * (1 - share) / faces + _Z**2 / (4 * faces**2))
    return f"{format_percent(share)} ({100 * (middle - half):.1f} to {100 * (middle + half):.1f})"


def balanced(sheet: Figures) -> str:
    """The mean of the recalls; each class is a sample of its own, and few faces make it uncertain."""
    there = [row for row in sheet["per_class"].values() if row["support"]]
    spread = math.sqrt(sum(row["recall"] * (1 - row["recall"]) / row["support"] for row in there)) / len(there)
    low, high = (sheet["balanced_accuracy"] + sign * _Z * spread for sign in (-1, 1))
    return f"{format_percent(sheet['balanced_accuracy'])} ({100 * low:.1f} to {100 * high:.1f})"


def doubt(figures: Figures) -> str:
    parts = figures["uncertain_of_nothing"]
    told = format_table(
        ["things that are no faces", "called uncertain"], [(kind, format_percent(part)) for kind, part in parts.items()]
    )
    coverage = figures["public"]["coverage"]
    rows = [(format_percent(float(part)), format_percent(right)) for part, right in coverage.items()]
    curve = format_table(["the surest part of PublicTest", "accuracy on it"], rows)
    return f"{curve}\n\n{told}\n\nThe kinds of things are not those that the model was trained on."


def holds(rows: Sequence[Figures]) -> str:
    body = [
        (row["corruption"], f"{row['strength']:g}", format_percent(row["accuracy"]), f"{100 * row['lost']:.1f}")
        for row in rows
    ]
    return (
        f"{format_table(['faces with', 'strength', 'accuracy', 'points lost'], body)}\n\n"
        "Measured on Training faces that were held out; `mien robustness` says what the words mean and repeats it."
    )


def grouped(groups: Sequence[Figures]) -> str:
    rows = []
    for split in groups:
        for group in split["groups"]:
            told = group["figures"]["accuracy"]
            span = f"{100 * told['low']:.1f} to {100 * told['high']:.1f}"
            rows.append((split["column"], group["name"], f"{group['faces']:,}", format_percent(told["value"]), span))
        if gap := split["gaps"].get("accuracy"):
            rows.append((split["column"], "*gap, best to worst*", "", f"{100 * gap:.1f} points", ""))
    told = "Estimated from the faces that were held out. Age, gender and skin tone are not known of FER2013."
    return f"{format_table(['estimated', 'group', 'faces', 'accuracy', '95 %'], rows)}\n\n{told}"


def rivals(name: str) -> Iterator[str]:
    """Beside other models under the same corruptions, where that was measured with this very file."""
    result = read("robustness")
    if not result or name not in (names := [each["name"] for each in result["figures"]["models"]]):
        return
    models = result["figures"]["models"]
    rows = [
        (row["corruption"], f"{row['strength']:g}", *(held(each["rows"][place]) for each in models))
        for place, row in enumerate(models[0]["rows"])
    ]
    told = format_table([f"{result['figures']['split']} split with", "strength", *names], rows)
    yield f"## Beside others, on the same pixels\n\n{told}\n\n{describe_origin(result)}"


def held(row: Figures) -> str:
    """Accuracy, and the change from plain faces in points."""
    change = f"{-100 * row['lost']:+.1f}".replace("-0.0", "0.0").replace("+0.0", "0.0")
    return f"{format_percent(row['accuracy'])} ({change})"


def wrong(name: str, figures: Figures) -> Iterator[str]:
    """Its most frequent mistakes in words, and a picture without a face of the data."""
    parts = []
    if (PICTURES / f"{name}-wrong.png").exists():
        parts += [
            f"![Portraits under growing trouble, and the model's answers](../images/{name}-wrong.png)",
            "Two free portraits and a drawn face, each as it should be and then under more and more trouble. No face "
            "of the training data is shown.",
        ]
    if counts := figures.get("public", {}).get("confusion"):
        parts.append(f"Its most frequent mistakes on PublicTest: {mistakes(counts, figures['public']['labels'])}.")
    if parts:
        yield "\n\n".join(["## What it gets wrong", *parts])


def mistakes(counts: Sequence[Sequence[int]], labels: Sequence[str], most: int = 4) -> str:
    """``faces labelled fear that look sad to it (97)``, the most frequent first."""
    pairs = [
        (counts[row][column], labels[row], labels[column])
        for row in range(len(labels))
        for column in range(len(labels))
        if row != column
    ]
    ranked = sorted(pairs, key=lambda pair: -pair[0])[:most]
    return ", ".join(f"faces labelled {label} that look {answer} to it ({count})" for count, label, answer in ranked)


def maps(card: ModelCard) -> Iterator[str]:
    """Whether what it shows of its reasons can be believed, where that was audited."""
    told = card.metrics.get("maps")
    if isinstance(told, Mapping) and "verdict" in told:
        yield f"## Do its maps tell the truth?\n\n{told['verdict']} Measured by `mien audit`."


def recipe(card: ModelCard) -> str:
    """How it was made, and what that cost."""
    seconds = card.metrics.get("training_seconds")
    cost = "The time it took was not recorded in the file."
    if isinstance(seconds, int | float) and seconds:
        energy = seconds / 3600 * WATTS / 1000
        where = f" on {card.metrics['trained_on']}" if "trained_on" in card.metrics else ""
        cost = f"Training took {seconds / 3600:.1f} hours{where}, some {energy:.2f} kWh if that draws {WATTS} W for it."
    if isinstance(before := card.metrics.get("training_seconds_before"), int | float):
        cost += f" The run whose trunk it begins with had taken {before / 3600:.1f} hours before."
    if isinstance(card.recipe, Mapping) and card.recipe.get("teach", {}).get("targets"):
        cost += " What its teachers took is not counted."
    told = json.dumps(card.recipe, indent=1) if isinstance(card.recipe, Mapping) else str(card.recipe)
    precision = card.metrics.get("precision", "float32")
    return (
        f"## How it was made\n\nThe file holds its own recipe, and its weights are {precision}. {cost}\n\n"
        f"<details><summary>The recipe</summary>\n\n```json\n{told}\n```\n\n</details>"
    )


if __name__ == "__main__":
    sys.exit(main())
