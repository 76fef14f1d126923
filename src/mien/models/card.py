"""The card of a model: its facts, stored in its ONNX file, so that no label order is guessed from a file name."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mien.errors import CardError
from mien.models import protobuf
from mien.models.onnx_file import ModelSource, describe_source, read_model

#: The key of the card in the metadata of the file.
CARD_KEY = "mien.card"

#: Increased only when an older mien could not read a newer card correctly; unknown facts are ignored.
CARD_VERSION = 1

#: ``ModelProto.metadata_props`` in onnx.proto; its entries have a key (1) and a value (2).
_METADATA, _KEY, _VALUE = 14, 1, 2

_HOW_TO_ADD = "Export it with 'mien export', or add a card with mien.models.write_card(model, ModelCard(...))"

Framings = Mapping[str, tuple[float, float, float]]


@dataclass(frozen=True)
class ModelCard:
    """The facts about a model.

    ``labels`` are the columns of its output of probabilities, and ``vote_labels`` those of its output ``votes``; empty
    if it has none. The input are square face crops of ``side`` pixels, ``gray`` or ``rgb``. ``framings`` has the crop
    for each detector, as (scale, dx, dy) of :class:`mien.faces.crop.Framing`; detectors without one use the framings of
    ``mien.faces.crop``. The temperatures are inside the graph and recorded here for information. A prediction whose
    largest probability is below ``uncertain_below`` is uncertain; an expression with at least ``mixture_above`` of the
    votes is part of the mixture. ``metrics`` are the results of evaluations.

    ``decision`` describes the scores of a model with two heads; it is empty for a model with one target. ``votes`` and
    ``label`` are the weights of the logits of both heads, ``offsets`` the number added for each label; the graph has
    them already. ``prior`` and ``label_prior`` are the class frequencies that the scores of both targets assume.
    """

    name: str
    labels: tuple[str, ...]
    vote_labels: tuple[str, ...] = ()
    side: int = 48
    color: str = "gray"
    framings: Framings = field(default_factory=dict, hash=False)
    temperature: float = 1.0
    votes_temperature: float = 1.0
    uncertain_below: float = 0.0
    mixture_above: float = 0.2
    decision: Mapping[str, Any] = field(default_factory=dict, hash=False)
    parameters: int = 0
    multiply_adds: int = 0
    metrics: Mapping[str, Any] = field(default_factory=dict, hash=False)
    recipe: Mapping[str, Any] | str = field(default="", hash=False)
    license: str = ""
    date: str = ""
    version: int = CARD_VERSION

    def __post_init__(self) -> None:
        for key, (is_valid, expected) in _RULES.items():
            value = getattr(self, key)
            if not is_valid(value):
                raise CardError(f"The card has {key} = {value!r}", f"Expected {expected}", "Write the card again")

    @property
    def channels(self) -> int:
        """1 for a gray model, 3 for a colour model."""
        return 1 if self.color == "gray" else 3

    def accuracy(self, target: str) -> float | None:
        """The accuracy of the target ``people`` or ``label`` in the card's metrics, None without it."""
        table = self.metrics if target == "label" else self.metrics.get("people")
        if not isinstance(table, Mapping) or not isinstance(value := table.get("accuracy"), float):
            return None
        # A card has four digits; the number of correct faces, which is whole, has all of them.
        faces = table.get("faces")
        return round(value * faces) / faces if isinstance(faces, int) and 0 < faces < 5000 else value

    @classmethod
    def read(cls, model: ModelSource) -> ModelCard:
        """The card of an ONNX file (path or bytes); the graph is not loaded."""
        return extract_card(read_model(model), describe_source(model))

    @classmethod
    def from_json(cls, card: str | bytes) -> ModelCard:
        """The card from the JSON text of the file."""
        try:
            facts = json.loads(card)
        except (ValueError, RecursionError) as error:
            raise CardError("The card is not valid JSON", "Expected one JSON object", _HOW_TO_ADD) from error
        if not isinstance(facts, dict):
            raise CardError("The card is not a JSON object", "Expected names and values", _HOW_TO_ADD)
        version = facts.get("version", CARD_VERSION)
        if isinstance(version, int) and version > CARD_VERSION:
            happened = f"The card has version {version}, written by a newer mien"
            expected = f"This version of mien reads cards up to version {CARD_VERSION}"
            raise CardError(happened, expected, "Install a newer mien")
        missing = [key for key in ("name", "labels") if key not in facts]
        if missing:
            happened = f"The card has no {' and no '.join(missing)}"
            raise CardError(happened, "Expected at least name and labels", _HOW_TO_ADD)
        names = {fact.name for fact in dataclasses.fields(cls)}
        return cls(**{key: _lists_to_tuples(key, value) for key, value in facts.items() if key in names})

    def to_dict(self) -> dict[str, Any]:
        """Every fact by its name; tuples stay tuples."""
        return {fact.name: getattr(self, fact.name) for fact in dataclasses.fields(self)}

    def to_json(self) -> str:
        """One line of JSON, as it is written into the file."""
        try:
            card = json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)
            card.encode()  # fails for unpaired surrogates, which JSON allows
        except (TypeError, ValueError) as error:
            expected = "Expected plain numbers (no NaN, no NumPy values), texts, lists and dicts"
            remedy = "Convert metrics and recipe"
            raise CardError(f"The card cannot be written as JSON: {error}", expected, remedy) from error
        return card


def extract_card(model: bytes, name: str) -> ModelCard:
    """The card in the bytes of a model; ``name`` is its name in messages."""
    try:
        entries = [field.content for field in protobuf.read_fields(model) if _is_card(field)]
        card = b"".join(bytes(value) for value in protobuf.read_messages(entries[-1], _VALUE)) if entries else None
    except protobuf.ProtobufError as error:
        raise CardError(f"{name} has a damaged card: {error}", "Expected a complete card", _HOW_TO_ADD) from error
    if card is None:
        expected = f"Expected the entry '{CARD_KEY}' in the metadata of the ONNX file"
        raise CardError(f"{name} has no card", expected, _HOW_TO_ADD)
    return ModelCard.from_json(card)


def write_card(model: bytes, card: ModelCard) -> bytes:
    """The same model with this card instead of the one that it has; every other byte is unchanged."""
    read_model(model)
    others = [model[field.start : field.end] for field in protobuf.read_fields(model) if not _is_card(field)]
    entry = protobuf.encode_field(_KEY, CARD_KEY) + protobuf.encode_field(_VALUE, card.to_json())
    return b"".join([*others, protobuf.encode_field(_METADATA, entry)])


def _is_card(entry: protobuf.ProtobufField) -> bool:
    if entry.number != _METADATA:
        return False
    try:
        return any(key == CARD_KEY.encode() for key in protobuf.read_messages(entry.content, _KEY))
    except protobuf.ProtobufError:
        return False


def _lists_to_tuples(key: str, value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    if key == "framings" and isinstance(value, dict):
        return {name: tuple(item) if isinstance(item, list) else item for name, item in value.items()}
    return value


# Validation


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _are_labels(value: object) -> bool:
    return isinstance(value, tuple) and all(map(_is_name, value)) and len(set(value)) == len(value)


def _is_number(value: object) -> bool:
    # An integer in JSON may be larger than any float.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_framing(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 3 and all(map(_is_number, value)) and value[0] > 0


def _is_decision(value: object) -> bool:
    if not isinstance(value, Mapping):
        return False
    numbers = [value[key] for key in ("votes", "label") if key in value]
    tables = [value[key] for key in ("offsets", "prior", "label_prior") if key in value]
    are_tables = all(isinstance(table, Mapping) and all(map(_is_number, table.values())) for table in tables)
    return all(map(_is_number, numbers)) and are_tables


_Rule = tuple[Callable[[Any], bool], str]
_POSITIVE: _Rule = (lambda value: _is_number(value) and value > 0, "a number above 0")
_PROBABILITY: _Rule = (lambda value: _is_number(value) and 0 <= value <= 1, "a number between 0 and 1")
_COUNT: _Rule = (_is_count, "a whole number, 0 or more")
_TEXT: _Rule = (lambda value: isinstance(value, str), "text")

#: For each fact a check, and what it expects.
_RULES: dict[str, _Rule] = {
    "name": (_is_name, "a name"),
    "labels": (lambda value: _are_labels(value) and len(value) > 1, "two or more different labels, in a tuple"),
    "vote_labels": (_are_labels, "different labels, in a tuple"),
    "side": (lambda value: _is_count(value) and 8 <= value <= 1024, "a side of 8 to 1024 pixels"),
    "color": (lambda value: value in ("gray", "rgb"), "'gray' or 'rgb'"),
    "framings": (
        lambda value: (
            isinstance(value, Mapping) and all(map(_is_name, value)) and all(map(_is_framing, value.values()))
        ),
        "(scale, dx, dy) for each detector",
    ),
    "temperature": _POSITIVE,
    "votes_temperature": _POSITIVE,
    "uncertain_below": _PROBABILITY,
    "mixture_above": _PROBABILITY,
    "decision": (_is_decision, "weights of both heads, offsets and priors by label"),
    "parameters": _COUNT,
    "multiply_adds": _COUNT,
    "metrics": (lambda value: isinstance(value, Mapping), "a table of metrics"),
    "recipe": (lambda value: isinstance(value, str | Mapping), "a recipe's text or table"),
    "license": _TEXT,
    "date": _TEXT,
    "version": (lambda value: _is_count(value) and value >= 1, f"a card version from 1 to {CARD_VERSION}"),
}
