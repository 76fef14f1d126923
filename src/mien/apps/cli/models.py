"""``mien models``: list, show and download models and face detectors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.apps.cli.console import ProgressBar, escape_controls, format_columns, print_line, print_result
from mien.apps.cli.options import complete_models
from mien.errors import MienError
from mien.text import format_percent

if TYPE_CHECKING:
    from mien.models import ModelCard
    from mien.models.checksums import PublishedFile
    from mien.models.registry import ModelEntry

EPILOG = """\b
Examples:
  mien models
  mien models --json
  mien models show base
"""

SHOW_EPILOG = """\b
Examples:
  mien models show base
  mien models show base --json
  mien models show yunet
"""

PULL_EPILOG = """\b
Examples:
  mien models pull yunet --from face_detection_yunet_2026may.onnx
  mien models pull yunet
"""


@dataclass(frozen=True)
class ModelRow:
    """One line of the list: a model or detector. ``size`` is in bytes, None if unknown.

    ``people`` and ``label`` are the accuracies of both targets on the split of the card, None without them.
    """

    name: str
    kind: str
    state: str
    size: int | None
    description: str
    people: float | None = None
    label: float | None = None


@click.group(invoke_without_command=True, epilog=EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print the list as a JSON array.")
@click.pass_context
def models(context: click.Context, as_json: bool) -> None:
    """List models and face detectors, download and show them.

    PEOPLE is how often the prediction is what most annotators chose, and LABEL how often FER2013's
    label is predicted, which published accuracies are about; both on PublicTest.
    """
    if context.invoked_subcommand is not None:
        return
    rows = list_models()
    table: list[tuple[str, ...]] = [("NAME", "KIND", "SIZE", "PEOPLE", "LABEL", "STATE", "DESCRIPTION")]
    for row in rows:
        accuracies = ("" if value is None else format_percent(value, 1) for value in (row.people, row.label))
        table.append((row.name, row.kind, format_megabytes(row.size), *accuracies, row.state, row.description))
    print_result(as_json, [asdict(row) for row in rows], format_columns(table, right=(2, 3, 4)))


def list_models() -> list[ModelRow]:
    """All models and detectors with the state of their files; `mien doctor` shows the same."""
    from mien.models.registry import list_models

    return [_describe_entry(entry) for entry in list_models()]


def _describe_entry(entry: ModelEntry) -> ModelRow:
    from mien.models import ModelCard, find_model_file, resolve_model
    from mien.models.checksums import PUBLISHED_FILES

    if published := PUBLISHED_FILES.get(entry.name):
        try:  # this verifies the content, which may be cut off or replaced
            state = "installed" if find_model_file(entry.name) else f"not downloaded: mien models pull {entry.name}"
        except MienError as error:
            state = f"broken: {error}"
        description = f"face detector; licence {published.license}"
        return ModelRow(entry.name, entry.kind, state, published.checksum.size, description)
    try:
        path = resolve_model(entry.name)
        card = ModelCard.read(path)
    except MienError as error:
        return ModelRow(entry.name, entry.kind, f"broken: {error}", None, "")
    state = "embedded" if entry.origin == "embedded" else f"from {entry.origin}"
    accuracies = {target: card.accuracy(target) for target in ("people", "label")}
    return ModelRow(entry.name, entry.kind, state, path.stat().st_size, _describe_card(card), **accuracies)


def _describe_card(card: ModelCard) -> str:
    votes = f" and {len(card.vote_labels)} votes" if card.vote_labels else ""
    parts = [f"{len(card.labels)} expressions{votes} from {card.side} px {card.color}"]
    if card.parameters:
        parts.append(f"{card.parameters / 1e6:.2g} M parameters")
    return ", ".join(parts)


def format_megabytes(size: int | None) -> str:
    return "" if size is None else f"{size / 1e6:.1f} MB"


@models.command(epilog=PULL_EPILOG)
@click.argument("name")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Install this local file; no network is used.",
)
@click.option(
    "--time-limit", type=click.FloatRange(0.1), default=600.0, show_default=True, help="Seconds that it may take."
)
def pull(name: str, source: Path | None, time_limit: float) -> None:
    """Download NAME from its publisher, verify it, and store it in mien's folder.

    The folder is the platform's cache folder, or the one that MIEN_HOME names.
    """
    from mien.models.registry import pull_model

    with ProgressBar(amount=lambda size: f"{size / 1000:,.0f} kB") as bar:
        path = pull_model(name, source=source, progress=bar.update, timeout=min(time_limit, 20.0), deadline=time_limit)
    print_line(f"{escape_controls(name)} is installed: {escape_controls(str(path))}")


@models.command(epilog=SHOW_EPILOG)
@click.argument("name", shell_complete=complete_models)
@click.option("--json", "as_json", is_flag=True, help="Print the card as one line of JSON.")
def show(name: str, as_json: bool) -> None:
    """Show the card of NAME: input, labels, decision, accuracy of both targets, recipe, licence.

    NAME is a name from 'mien models', an .onnx file, or the folder of a training run.
    """
    from mien.models import ModelCard, resolve_model
    from mien.models.checksums import PUBLISHED_FILES

    if name in PUBLISHED_FILES:
        facts = _published_file_facts(PUBLISHED_FILES[name])
        groups: Mapping[str, Facts] = {"Detector": facts}
        text = json.dumps(facts, ensure_ascii=False)
    else:
        path = resolve_model(name)
        card = ModelCard.read(path)
        groups, text = _card_groups(card, path), card.to_json()
    print_line(text if as_json else _format_groups(groups))


def _published_file_facts(publication: PublishedFile) -> dict[str, Any]:
    from mien.models.registry import list_models

    path = next(entry.path for entry in list_models() if entry.name == publication.name)
    return {
        "name": publication.name,
        "kind": publication.kind,
        "file": str(path) if path else f"not downloaded: mien models pull {publication.name}",
        "size": publication.checksum.size,
        "address": publication.url,
        "sha256": publication.checksum.sha256,
        "license": publication.license,
    }


#: The metrics of a card by group; what is in none of them is in the group "Other metrics".
_LABEL_METRICS = (
    "accuracy",
    "ci95",
    "accuracy_no_duplicates",
    "faces_no_duplicates",
    "balanced_accuracy",
    "macro_f1",
    "auc_macro",
    "accuracy_at_coverage_70",
    "coverage",
    "ece",
    "ece_by_chance",
    "nll",
    "brier",
    "kappa",
    "per_class",
)
_VOTE_METRICS = (
    "votes_faces",
    "votes_accuracy",
    "votes_divergence",
    "votes_second_faces",
    "votes_second",
    "mixture",
)
_PEOPLE_METRICS = (
    "accuracy",
    "ci95",
    "balanced_accuracy",
    "even_prior",
    "recall",
    "clear",
    "coverage",
    "ece",
    "ece_by_chance",
    "log_loss",
)
_TRAINING_METRICS = (
    "validation_accuracy",
    "validation_accuracy_int8",
    "validation_accuracy_float16",
    "training_seconds",
    "training_seconds_before",
    "trained_on",
    "evaluations",
    "precision",
    "keras_difference",
    "validation_fingerprint",
)

#: The metrics that are printed in percent.
_PERCENTAGES = {
    "accuracy",
    "accuracy_at_coverage_70",
    "accuracy_no_duplicates",
    "balanced_accuracy",
    "ci95",
    "coverage",
    "macro_f1",
    "precision",
    "prior",
    "label_prior",
    "recall",
    "validation_accuracy",
    "validation_accuracy_float16",
    "validation_accuracy_int8",
    "votes_accuracy",
    "votes_second",
}

#: The names of metrics that a reader would not understand; others have spaces for their underscores.
_TITLES = {
    "accuracy_at_coverage_70": "accuracy at 70 % coverage",
    "accuracy_no_duplicates": "accuracy without duplicates",
    "auc_macro": "area under the ROC curve",
    "ci95": "95 % interval",
    "coverage": "accuracy by coverage",
    "ece": "calibration error",
    "ece_by_chance": "expected by chance",
    "even_prior": "with an even prior",
    "faces_no_duplicates": "faces without duplicates",
    "kappa": "Cohen's kappa",
    "label_prior": "class frequencies (label)",
    "macro_f1": "macro F1",
    "nll": "log loss",
    "per_class": "expression",
    "prior": "class frequencies (people)",
}

Facts = Mapping[str, Any]


def _card_groups(card: ModelCard, path: Path) -> dict[str, Facts]:
    """The fields of the card for a reader by the heading of their group, in order of interest."""
    metrics = dict(card.metrics)
    split, faces = metrics.pop("split", ""), metrics.pop("faces", None)
    tables = {name: metrics.pop(name, {}) for name in ("people", "maps")}
    people, maps = (table if isinstance(table, Mapping) else {name: table} for name, table in tables.items())
    label, votes, training = (
        {name: metrics.pop(name) for name in names if name in metrics}
        for names in (_LABEL_METRICS, _VOTE_METRICS, _TRAINING_METRICS)
    )
    if (accuracy := card.accuracy("label")) is not None:
        label["accuracy"] = accuracy
    agreement = {name: people[name] for name in _PEOPLE_METRICS if name in people}
    if (accuracy := card.accuracy("people")) is not None:
        agreement["accuracy"] = accuracy
    groups: dict[str, Facts] = {
        "Model": {
            "name": card.name,
            "file": str(path),
            "size": path.stat().st_size,
            "parameters": card.parameters,
            "multiply-adds": card.multiply_adds,
            "date": card.date,
            "license": card.license,
            "card version": card.version,
        },
        "Input and output": {
            "input": f"{card.side} x {card.side} {card.color}",
            "framings": dict(card.framings),
            "expressions": ", ".join(card.labels),
            "votes": ", ".join(card.vote_labels) or "none",
        },
        "Decision": _decision_facts(card),
        f"People: what at least half of the annotators chose{_describe_place(split, people.get('faces'))}": agreement,
        f"Label: FER2013's label{_describe_place(split, faces)}": label,
        f"Annotator votes, eight expressions{_describe_place(split, None)}": votes,
        "Evidence maps": maps,
        "Other metrics": metrics,
        "Training": {**training, "recipe": card.recipe},
    }
    return {heading: facts for heading, facts in groups.items() if facts}


def _describe_place(split: object, faces: object) -> str:
    count = [f"{faces:,} faces"] if isinstance(faces, int) else []
    parts = [*([str(split)] if split else []), *count]
    return f" ({', '.join(parts)})" if parts else ""


def _decision_facts(card: ModelCard) -> Facts:
    """How scores are computed from the heads, and what is made of them."""
    uncertain = (
        f"when no probability reaches {format_percent(card.uncertain_below)}" if card.uncertain_below else "never"
    )
    facts: dict[str, Any] = {}
    if decision := card.decision:
        rule = f"{decision['votes']:.2f} x logit of votes + {decision['label']:.2f} x logit of label + offset"
        facts = {
            "people": f"softmax of {rule}",
            "offsets": {label: f"{offset:+.2f}" for label, offset in decision["offsets"].items()},
            "prior": decision["prior"],
            "label_prior": decision["label_prior"],
        }
        uncertain += ", or when another expression has the most predicted votes"
    others = f"every other with {format_percent(card.mixture_above)} of the votes"
    return {
        **facts,
        "uncertain": uncertain,
        "mixture": f"the leading expression, and {others}" if card.vote_labels else "none",
        "temperature": card.temperature,
        "votes temperature": card.votes_temperature,
    }


def _format_groups(groups: Mapping[str, Facts]) -> str:
    """A paragraph for each group: its heading, and an indented line for each fact, aligned over all groups."""
    rows = {heading: [row for row in _flatten(facts) if row[1]] for heading, facts in groups.items()}
    width = max(len(name) for lines in rows.values() for name, _ in lines)
    paragraphs = (
        [heading, *(f"  {name:{width}}  {value}" for name, value in lines)] for heading, lines in rows.items()
    )
    return "\n\n".join("\n".join(map(escape_controls, lines)) for lines in paragraphs)


def _flatten(facts: Facts, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested tables as lines: ``clear accuracy``. A table without tables in it is one line."""
    for key, value in facts.items():
        name = f"{prefix}{_TITLES.get(key, key.replace('_', ' '))}"
        if not isinstance(value, Mapping):
            yield name, _format_value(value, key)
        elif any(isinstance(item, Mapping) for item in value.values()):
            yield from _flatten(value, f"{name} ")
        elif value:
            unit = key if key in _PERCENTAGES else ""
            # A coverage of 1.0 has the accuracy that is printed before.
            cells = {item: number for item, number in value.items() if (key, item) != ("coverage", "1.0")}
            texts = (f"{item.replace('_', ' ')} {_format_value(cell, unit or item)}" for item, cell in cells.items())
            yield name, ", ".join(texts)


def _format_value(value: Any, key: str) -> str:
    if isinstance(value, float) and key in _PERCENTAGES:
        return format_percent(value, 1)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if key == "ci95" and isinstance(value, list | tuple) and len(value) == 2:
        return " to ".join(_format_value(end, key) for end in value)
    return " ".join(_format_value(item, key) for item in value) if isinstance(value, list | tuple) else str(value)
