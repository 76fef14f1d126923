"""Write docs/models/NAME.md, the page of an embedded model, from its file and its results.

python benchmarks/cards.py              write every page
python benchmarks/cards.py --images     draw the images of its mistakes as well
python benchmarks/cards.py --check      exit 1 when a page does not match the file and the results
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import _mistakes
from _tables import RESULTS, ROOT, describe_origin, format_count, format_percent, format_table

from mien.models import ModelCard
from mien.models.checksums import WEIGHTS, read_checksums

PAGES = ROOT / "docs" / "models"
IMAGES = ROOT / "docs" / "images"
Figures = Mapping[str, Any]

#: Standard deviations on either side of the mean with 95 % of a normal distribution.
_Z = 1.96

#: Estimated power of the cores during training in watts; it was not measured.
WATTS = 30

PURPOSE = {
    "base": "The default model of mien.",
    "small": "For slow machines and many faces: the network of `base` with one view of a face, several times faster.",
    "classic": "For teaching: the classic network of convolutions, pooling, flatten and a dense layer.",
}

RIGHTS = """\
FER2013 (Goodfellow and others, 2013): gray faces of 48 pixels that were collected from the web by search engine, one
label each. FER+ (Barsoum and others, 2016): the votes of ten annotators for the same faces. No licence from the
photographers or from the people in these images is known to us, and it is not settled whether weights trained on them
carry rights of others. Before any use beyond teaching and research take legal advice, or train on images that you have
the rights to.

The faces were collected from the web in 2013: some ages, skin tones and countries are rare, acted expressions are
frequent, and labels are often wrong: people agree with the label of about 65 % of the faces."""

NOT_FOR = """\
- Never to decide anything about a person: not for hiring, school marks, insurance, policing, borders, or proctoring.
  In the European Union inferring emotions at work and in education is forbidden but for medical and safety reasons.
- It describes what an expression looks like, never what somebody feels. People smile out of politeness and frown when
  they think.
- Not for observing people who do not know of it.
- Not for children, patients, or covered faces without measuring it on such faces first (`mien robustness --groups`)."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a page is not current")
    parser.add_argument("--images", action="store_true", help="draw the images of the mistakes, too")
    options = parser.parse_args()
    pages = {PAGES / f"{name}.md": page(name) for name in read_checksums()}
    stale = {path: text for path, text in pages.items() if not path.exists() or path.read_text("utf-8") != text}
    for path, text in stale.items():
        print(f"{'not current' if options.check else 'written'}: {path.name}")
        if not options.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if options.images and not options.check:
        for name in read_checksums():
            _mistakes.draw_mistakes(name, IMAGES / f"{name}-mistakes.png")
    return int(options.check and bool(stale))


def page(name: str) -> str:
    """The whole page."""
    path = WEIGHTS / f"{name}.onnx"
    card = ModelCard.read(path)
    result = read_result(f"accuracy-{name}")
    parts = [
        f"# {card.name}",
        f"{PURPOSE.get(name, '')} Written by `python benchmarks/cards.py`; `mien models show {name}` prints the "
        "card in the file.",
        format_file(name, card, result["figures"] if result else {}),
        *(format_results(card, result) if result else ["*Not measured yet.*"]),
        *format_comparison(name),
        *format_mistakes(name, result["figures"] if result else {}),
        *format_audit(card),
        f"## Training data and rights\n\n{RIGHTS}",
        f"## Prohibited uses\n\n{NOT_FOR}",
        format_recipe(card),
    ]
    return "\n\n".join(parts) + "\n"


def read_result(name: str) -> dict[str, Any] | None:
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _network_settings(card: ModelCard) -> Mapping[str, Any]:
    """The network settings of its recipe; empty where the recipe is text."""
    return card.recipe.get("net", {}) if isinstance(card.recipe, Mapping) else {}


def format_file(name: str, card: ModelCard, figures: Figures) -> str:
    checksum = read_checksums()[name]
    time = figures.get("one_face_one_core_ms", {}).get("median")
    votes = f"; votes: {', '.join(card.vote_labels)}" if card.vote_labels else ""
    descriptions = {2: ", and its mirror image", 4: ", and its mirror image, each in two crops"}
    views = descriptions.get(_network_settings(card).get("views", 1), "")
    views += "; the output is the mean" if views else ""
    uncertain = f"below {format_percent(card.uncertain_below)} for the leading expression"
    uncertain += ", or where another one has the most predicted votes" if card.decision else ""
    mixture = f"the leading expression, and every other with {format_percent(card.mixture_above)} of the votes"
    rows = [
        ("size", f"{checksum.size:,} bytes"),
        ("SHA-256", f"`{checksum.sha256}`"),
        ("date", f"{card.date}, card version {card.version}"),
        ("input", f"a face of {card.side} x {card.side} pixels, {card.color}, 0 to 255{views}"),
        ("labels", f"{', '.join(card.labels)}{votes}"),
        ("parameters", f"{card.parameters:,}"),
        ("multiply-adds", f"{card.multiply_adds:,}"),
        *([("one face on one core", f"{time:.2f} ms")] if time else []),
        ("uncertain", uncertain),
        ("mixture", mixture if votes else "none"),
        ("licence", card.license),
    ]
    return format_table(["the file", ""], rows).replace("---:", "---")


def format_results(card: ModelCard, result: Figures) -> Iterator[str]:
    figures = result["figures"]
    sheet = figures["public"]
    count = format_count(figures["evaluations"])
    evaluations = f"This model was evaluated {count} on PublicTest, which was never used for training or tuning."
    brackets = "In brackets: 95 % intervals."
    if "people" in sheet:
        yield f"## Accuracy of both targets\n\n{describe_targets(card)}\n\n{format_targets_table(sheet)}\n\n{brackets}"
        yield f"### Recall of each expression\n\n{format_recalls_table(sheet)}\n\n{RECALL_NOTE}"
    if card.decision:
        yield f"## How the two heads are joined\n\n{describe_decision(card, sheet)}"
    heading = "## Accuracy of the label"
    yield f"{heading}\n\n{format_metrics_table(sheet)}\n\n{brackets} {evaluations} {describe_origin(result)}"
    yield f"### By expression\n\n{format_classes_table(sheet)}"
    yield f"## Accuracy against coverage, and images without a face\n\n{format_uncertainty_tables(figures)}"
    yield f"## Robustness\n\n{format_corruptions_table(figures['corruptions'])}"
    if groups := figures.get("groups"):
        yield f"## Accuracy by group\n\n{format_groups_table(groups)}"


RECALL_NOTE = """\
People: of the faces that at least half of the annotators called so, the part that the model calls so. Clear faces: of
those that at least eight of ten called so. Label: of the faces with this label."""

ONE_TARGET = """\
This model has one target: its scores are those of FER2013's label, and it predicts no votes. The column of people
compares the same scores with what most annotators chose."""

TWO_TARGETS = """\
The model answers two questions. **People**: what would most people call this expression? This is what every window
shows: the leading expression, `scores`, `mixture` and `uncertain`. It is measured on the faces where at least half of
the ten FER+ annotators chose one of the seven expressions. **Label**: what would FER2013's label be? Published
accuracies are about this label, which often is not what most people say. It is in `label_scores`, and in
`engine.score(crops, target="label")`."""


CONTEMPT = """\
The annotators could also vote for contempt, which is none of the seven labels. It stays in `votes` and can be in the
mixture, but it is never the leading expression. Where it has the most predicted votes, the reading is uncertain, as
where any other expression than the leading one has them."""


def describe_targets(card: ModelCard) -> str:
    return TWO_TARGETS if card.decision else ONE_TARGET


def format_targets_table(sheet: Figures) -> str:
    """Both targets side by side."""
    people = sheet["people"]

    def format_accuracy(table: Figures) -> str:
        low, high = table["ci95"]
        return f"{format_percent(table['accuracy'])} ({100 * low:.1f} to {100 * high:.1f})"

    rows = [
        ("faces", f"{people['faces']:,}", f"{sheet['faces']:,}"),
        ("accuracy", format_accuracy(people), format_accuracy(sheet)),
        ("accuracy at 70 % coverage", *(format_percent(table["coverage"]["0.7"]) for table in (people, sheet))),
        ("balanced accuracy", *(format_percent(table["balanced_accuracy"]) for table in (people, sheet))),
    ]
    if even := people.get("even_prior"):
        rows.append(("balanced accuracy with an even prior", format_percent(even["balanced_accuracy"]), ""))
        rows.append(("accuracy with an even prior", format_percent(even["accuracy"]), ""))
    if clear := people.get("clear"):
        rows.append((f"accuracy on clear faces ({clear['faces']:,})", format_accuracy(clear), ""))
    rows.append(("calibration error (ECE)", *(format_calibration(table) for table in (people, sheet))))
    return format_table(["PublicTest", "people", "label"], rows)


def format_recalls_table(sheet: Figures) -> str:
    """The recall of each expression of both targets, and of people on clear faces, with intervals and counts."""
    people = sheet["people"]

    def format_cell(recall: float, faces: int) -> str:
        return f"{format_interval(recall, faces)}, {faces:,} faces" if faces else "no face"

    rows = [
        (
            label,
            *(
                format_cell(table["recall"].get(label, 0), table["support"][label])
                for table in (people, people["clear"])
            ),
            format_cell(row["recall"], row["support"]),
        )
        for label, row in sheet["per_class"].items()
    ]
    return format_table(["expression", "people", "people, clear faces", "label"], rows)


def describe_decision(card: ModelCard, sheet: Figures) -> str:
    """The weights, offsets and class frequencies of the decision; contempt, and the even prior."""
    decision, even = card.decision, sheet["people"]["even_prior"]
    rows = [
        (
            label,
            f"{decision['offsets'][label]:+.2f}",
            format_percent(decision["prior"][label]),
            format_percent(decision["label_prior"][label]),
        )
        for label in card.labels
    ]
    rule = f"""\
The network has two heads: one learned FER2013's label, the other the distribution of the FER+ votes. The scores of
people are a softmax whose logit of an expression is **{decision["votes"]:.2f} times its logit of the votes, plus
{decision["label"]:.2f} times its logit of the label, plus an offset**. Weights and offsets have the lowest log loss on
the validation faces that at least half of the annotators agree on. There a face of a class with frequency p has the
weight p^-0.8, so that rare expressions are recognised too. They are in the card's `decision` and in the graph."""
    table = format_table(["expression", "offset", "frequency, people", "frequency, label"], rows)
    accuracy, even_accuracy, balanced, even_balanced = (
        format_percent(table[key]) for key in ("accuracy", "balanced_accuracy") for table in (sheet["people"], even)
    )
    prior = f"""\
The scores assume the class frequencies of the table; those of people are partly evened out by the class weights.
`--prior even` divides the scores by them. The balanced accuracy (mean recall) of people is then {even_balanced}
instead of {balanced}, and the accuracy {even_accuracy} instead of {accuracy}: rare expressions are recognised more
often, and more frequent ones are mistaken for them."""
    return "\n\n".join([rule, table, CONTEMPT, prior])


def format_metrics_table(sheet: Figures) -> str:
    low, high = sheet["ci95"]
    mixture = sheet.get("mixture")
    rows = [
        ("accuracy", f"{format_percent(sheet['accuracy'])} ({100 * low:.1f} to {100 * high:.1f})"),
        ("accuracy without duplicates", format_interval(sheet["accuracy_no_duplicates"], sheet["faces_no_duplicates"])),
        ("balanced accuracy", format_balanced(sheet)),
        ("macro F1", format_percent(sheet["macro_f1"])),
        ("area under the ROC curve", f"{sheet['auc_macro']:.3f}"),
        (
            "accuracy at 70 % coverage",
            format_interval(sheet["accuracy_at_coverage_70"], round(0.7 * sheet["faces"])),
        ),
        ("calibration error (ECE)", format_calibration(sheet)),
        ("log loss; Brier score; Cohen's kappa", f"{sheet['nll']:.3f}; {sheet['brier']:.3f}; {sheet['kappa']:.3f}"),
    ]
    if "votes_accuracy" in sheet:
        votes = format_interval(sheet["votes_accuracy"], sheet["votes_faces"])
        rows.append(("accuracy on annotator votes (FER+), eight expressions", votes))
        rows.append(("divergence from the annotator votes (KL)", f"{sheet['votes_divergence']:.3f} nats"))
    if mixture:
        rows.append(("second expression, as in the votes", format_percent(sheet["votes_second"] or 0)))
        mixtures = f"precision {format_percent(mixture['precision'])}, recall {format_percent(mixture['recall'])}"
        rows.append(("mixtures: expressions with a fifth of the votes", mixtures))
    return format_table([f"PublicTest, {sheet['faces']:,} faces", ""], rows)


def format_calibration(sheet: Figures) -> str:
    mean, high = sheet.get("ece_by_chance") or (None, None)
    chance = "" if mean is None else f" (expected by chance {mean:.3f}, up to {high:.3f})"
    return f"{sheet['ece']:.3f}{chance}"


def format_classes_table(sheet: Figures) -> str:
    rows = [
        (
            label,
            row["support"],
            format_interval(row["precision"], row["predicted"]),
            format_interval(row["recall"], row["support"]),
            f"{row['f1']:.2f}",
        )
        for label, row in sheet["per_class"].items()
    ]
    return format_table(["expression", "faces", "precision", "recall", "F1"], rows)


def format_interval(proportion: float, faces: int) -> str:
    """A fraction of so many faces with its 95 % Wilson interval."""
    if not faces:
        return "-"
    middle = (proportion + _Z**2 / (2 * faces)) / (1 + _Z**2 / faces)
    half = _Z / (1 + _Z**2 / faces) * math.sqrt(proportion * (1 - proportion) / faces + _Z**2 / (4 * faces**2))
    return f"{format_percent(proportion)} ({100 * (middle - half):.1f} to {100 * (middle + half):.1f})"


def format_balanced(sheet: Figures) -> str:
    """The mean recall with its 95 % interval; each class is a sample of its own."""
    rows = [row for row in sheet["per_class"].values() if row["support"]]
    spread = math.sqrt(sum(row["recall"] * (1 - row["recall"]) / row["support"] for row in rows)) / len(rows)
    low, high = (sheet["balanced_accuracy"] + sign * _Z * spread for sign in (-1, 1))
    return f"{format_percent(sheet['balanced_accuracy'])} ({100 * low:.1f} to {100 * high:.1f})"


def format_uncertainty_tables(figures: Figures) -> str:
    rates = figures["uncertain_on_non_faces"]
    uncertain = format_table(
        ["images without a face", "uncertain"], [(kind, format_percent(part)) for kind, part in rates.items()]
    )
    coverage = figures["public"]["coverage"]
    rows = [(format_percent(float(part)), format_percent(right)) for part, right in coverage.items()]
    if people := figures["public"].get("people"):
        rows = [(*row, format_percent(right)) for row, right in zip(rows, people["coverage"].values(), strict=True)]
    curve = format_table(["coverage of PublicTest", "accuracy, label", *(["accuracy, people"] if people else [])], rows)
    return f"{curve}\n\n{uncertain}\n\nThese patterns are not those of the training augmentation."


def format_corruptions_table(rows: Sequence[Figures]) -> str:
    body = [
        (row["corruption"], f"{row['strength']:g}", format_percent(row["accuracy"]), f"{100 * row['lost']:.1f}")
        for row in rows
    ]
    return (
        f"{format_table(['corruption', 'strength', 'accuracy', 'points lost'], body)}\n\n"
        "Measured on the validation faces, for the label; `mien robustness` explains the corruptions and repeats it."
    )


def format_groups_table(groups: Sequence[Figures]) -> str:
    rows = []
    for split in groups:
        for group in split["groups"]:
            accuracy = group["metrics"]["accuracy"]
            interval = f"{100 * accuracy['low']:.1f} to {100 * accuracy['high']:.1f}"
            rows.append(
                (split["column"], group["name"], f"{group['faces']:,}", format_percent(accuracy["value"]), interval)
            )
        if gap := split["gaps"].get("accuracy"):
            rows.append((split["column"], "*gap, best to worst*", "", f"{100 * gap:.1f} points", ""))
    note = "Estimated from the validation faces, for the label. FER2013 has no data on age, gender and skin tone."
    return f"{format_table(['estimated', 'group', 'faces', 'accuracy', '95 %'], rows)}\n\n{note}"


def format_comparison(name: str) -> Iterator[str]:
    """The comparison with other models under the same corruptions, where it was measured."""
    result = read_result("robustness")
    if not result or name not in (names := [each["name"] for each in result["figures"]["models"]]):
        return
    models = result["figures"]["models"]
    rows = [
        (row["corruption"], f"{row['strength']:g}", *(format_row(each["rows"][number]) for each in models))
        for number, row in enumerate(models[0]["rows"])
    ]
    body = format_table([f"{result['figures']['split']} split", "strength", *names], rows)
    yield f"## Robustness of several models\n\nThe accuracy of the label.\n\n{body}\n\n{describe_origin(result)}"


def format_row(row: Figures) -> str:
    """Accuracy, and the change from faces without corruption in points."""
    change = f"{-100 * row['lost']:+.1f}".replace("-0.0", "0.0").replace("+0.0", "0.0")
    return f"{format_percent(row['accuracy'])} ({change})"


def format_mistakes(name: str, figures: Figures) -> Iterator[str]:
    """Its most frequent mistakes, and an image without a face of the data."""
    parts = []
    if (IMAGES / f"{name}-mistakes.png").exists():
        parts += [
            f"![Corrupted portraits and the predictions of the model](../images/{name}-mistakes.png)",
            "Two free portraits and a drawn face, without and with corruptions of increasing strength. No face of the "
            "training data is shown.",
        ]
    if counts := figures.get("public", {}).get("confusion"):
        mistakes = describe_mistakes(counts, figures["public"]["labels"])
        parts.append(f"The most frequent mistakes on PublicTest, for the label: {mistakes}.")
    if parts:
        yield "\n\n".join(["## Mistakes", *parts])


def describe_mistakes(counts: Sequence[Sequence[int]], labels: Sequence[str], most: int = 4) -> str:
    """``fear predicted as sad (97)``, the most frequent first."""
    pairs = [
        (counts[row][column], labels[row], labels[column])
        for row in range(len(labels))
        for column in range(len(labels))
        if row != column
    ]
    ranked = sorted(pairs, key=lambda pair: -pair[0])[:most]
    return ", ".join(f"{label} predicted as {prediction} ({count})" for count, label, prediction in ranked)


def format_audit(card: ModelCard) -> Iterator[str]:
    """The result of the audit of its evidence maps, where there is one."""
    audit = card.metrics.get("maps")
    if isinstance(audit, Mapping) and "summary" in audit:
        yield f"## Audit of the evidence maps\n\n{audit['summary']} Measured by `mien audit`."


def format_recipe(card: ModelCard) -> str:
    """The recipe, and the time and energy of the training."""
    seconds = card.metrics.get("training_seconds")
    cost = "The training time is not recorded in the file."
    if isinstance(seconds, int | float) and seconds:
        energy = seconds / 3600 * WATTS / 1000
        where = f" on {card.metrics['trained_on']}" if "trained_on" in card.metrics else ""
        cost = f"Training took {seconds / 3600:.1f} hours{where}, about {energy:.2f} kWh at {WATTS} W."
    if isinstance(before := card.metrics.get("training_seconds_before"), int | float):
        cost += f" The run that it was initialised from took {before / 3600:.1f} hours before."
    if isinstance(card.recipe, Mapping) and card.recipe.get("distillation", {}).get("targets"):
        cost += " The training of its teachers is not included."
    text = json.dumps(card.recipe, indent=1) if isinstance(card.recipe, Mapping) else str(card.recipe)
    precision = card.metrics.get("precision", "float32")
    return (
        f"## Training\n\nThe weights are {precision}. {cost}\n\n"
        f"<details><summary>The recipe in the file</summary>\n\n```json\n{text}\n```\n\n</details>"
    )


if __name__ == "__main__":
    sys.exit(main())
