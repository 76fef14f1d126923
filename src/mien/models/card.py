"""A model's own facts, carried inside its ONNX file, so that nobody guesses label order from a file name."""

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

#: The key under which the card stands in the file's metadata.
CARD_KEY = "mien.card"

#: Rises only when an older mien could not follow a newer card; facts merely added are skipped by older readers.
CARD_VERSION = 1

#: ``ModelProto.metadata_props`` in onnx.proto; its entries hold a key (1) and a value (2).
_METADATA, _KEY, _VALUE = 14, 1, 2

_HOW_TO_ADD = "Export it with mien's lab, or add a card with mien.models.write_card(model, ModelCard(...))"

Framings = Mapping[str, tuple[float, float, float]]


@dataclass(frozen=True)
class ModelCard:
    """What a model says about itself.

    ``labels`` are the words of the output ``shares``, in order, and ``vote_labels`` those of ``votes`` (empty: the
    model has no such head). The model takes square faces of ``side`` pixels, ``gray`` or ``rgb``. ``framings`` says by
    detector how much of a face it wants to see, as (scale, dx, dy); empty means the framings of ``mien.faces.crop``.
    Temperatures are already inside the graph and told for the record. A reading whose top share lies under
    ``uncertain_below`` is uncertain; an expression with ``mixture_above`` of the votes stands out.
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
    parameters: int = 0
    multiply_adds: int = 0
    scores: Mapping[str, Any] = field(default_factory=dict, hash=False)
    recipe: Mapping[str, Any] | str = field(default="", hash=False)
    license: str = ""
    date: str = ""
    version: int = CARD_VERSION

    def __post_init__(self) -> None:
        for key, (holds, expected) in _RULES.items():
            value = getattr(self, key)
            if not holds(value):
                raise CardError(f"The card has {key} = {value!r}", f"Expected {expected}", "Write the card again")

    @property
    def channels(self) -> int:
        """1 for a gray model, 3 for one that sees colour."""
        return 1 if self.color == "gray" else 3

    @classmethod
    def read(cls, model: ModelSource) -> ModelCard:
        """The card inside an ONNX file (path or bytes); no session is opened and the graph is not looked at."""
        return extract_card(read_model(model), describe_source(model))

    @classmethod
    def from_json(cls, card: str | bytes) -> ModelCard:
        """The card as it stands in the file."""
        facts = _parse(card)
        _check_version(facts.get("version", CARD_VERSION))
        missing = [key for key in ("name", "labels") if key not in facts]
        if missing:
            raise CardError(
                f"The card does not tell {' and '.join(missing)}", "Expected at least name and labels", _HOW_TO_ADD
            )
        known = {each.name for each in dataclasses.fields(cls)}
        return cls(**{key: _frozen(key, value) for key, value in facts.items() if key in known})

    def to_dict(self) -> dict[str, Any]:
        """Every fact under its name; tuples stay tuples."""
        return {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}

    def to_json(self) -> str:
        """One line of JSON, as it is written into the file."""
        try:
            card = json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)
            card.encode()  # JSON may hold half a character, a file may not
            return card
        except (TypeError, ValueError) as error:
            expected = "Expected plain numbers (no NaN, no NumPy values), words, lists and dicts"
            raise CardError(
                f"The card cannot be written as JSON: {error}", expected, "Convert scores and recipe"
            ) from error


def extract_card(model: bytes, name: str) -> ModelCard:
    """The card in the bytes of a model; ``name`` is how messages call it."""
    try:
        found = _card_text(model)
    except protobuf.ProtobufError as error:
        raise CardError(f"{name} has a damaged card: {error}", "Expected a whole card", _HOW_TO_ADD) from error
    if found is None:
        expected = f"Expected the entry '{CARD_KEY}' in the metadata of the ONNX file"
        raise CardError(f"{name} has no card", expected, _HOW_TO_ADD)
    return ModelCard.from_json(found)


def write_card(model: bytes, card: ModelCard) -> bytes:
    """The same model with this card inside; a card it had before is gone, all else is kept byte by byte."""
    read_model(model)
    kept = [model[each.start : each.end] for each in protobuf.read_fields(model) if not _is_card(each)]
    entry = protobuf.encode_field(_KEY, CARD_KEY) + protobuf.encode_field(_VALUE, card.to_json())
    return b"".join([*kept, protobuf.encode_field(_METADATA, entry)])


def _card_text(model: bytes) -> bytes | None:
    cards = [each for each in protobuf.read_fields(model) if _is_card(each)]
    return b"".join(bytes(value) for value in protobuf.read_messages(cards[-1].content, _VALUE)) if cards else None


def _is_card(each: protobuf.ProtobufField) -> bool:
    if each.number != _METADATA:
        return False
    try:
        return any(key == CARD_KEY.encode() for key in protobuf.read_messages(each.content, _KEY))
    except protobuf.ProtobufError:
        return False


def _parse(card: str | bytes) -> dict[str, Any]:
    try:
        facts = json.loads(card)
    except (ValueError, RecursionError) as error:
        raise CardError("The card is not readable JSON", "Expected one JSON object", _HOW_TO_ADD) from error
    if not isinstance(facts, dict):
        raise CardError("The card is not a JSON object", "Expected names and values", _HOW_TO_ADD)
    return facts


def _check_version(version: object) -> None:
    if isinstance(version, int) and version > CARD_VERSION:
        happened = f"The card is of version {version}, made by a newer mien"
        raise CardError(happened, f"This mien follows cards up to version {CARD_VERSION}", "Install a newer mien")


def _frozen(key: str, value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    if key == "framings" and isinstance(value, dict):
        return {name: tuple(each) if isinstance(each, list) else each for name, each in value.items()}
    return value


def _words(value: object) -> bool:
    return isinstance(value, tuple) and all(map(_word, value)) and len(set(value)) == len(value)


def _word(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _number(value: object) -> bool:
    # Whole numbers in JSON may be longer than any float.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _share(value: Any) -> bool:
    return _number(value) and 0 <= value <= 1


def _framing(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 3 and all(map(_number, value)) and value[0] > 0


_Rule = tuple[Callable[[Any], bool], str]
_POSITIVE: _Rule = (lambda value: _number(value) and value > 0, "a number above 0")
_SHARE: _Rule = (_share, "a share between 0 and 1")
_COUNT: _Rule = (_count, "a whole number, 0 or more")
_TEXT: _Rule = (lambda value: isinstance(value, str), "text")

_RULES: dict[str, _Rule] = {
    "name": (_word, "a name"),
    "labels": (lambda value: _words(value) and len(value) > 1, "two or more different labels, in a tuple"),
    "vote_labels": (_words, "different labels, in a tuple"),
    "side": (lambda value: _count(value) and 8 <= value <= 1024, "a side of 8 to 1024 pixels"),
    "color": (lambda value: value in ("gray", "rgb"), "'gray' or 'rgb'"),
    "framings": (
        lambda value: isinstance(value, Mapping) and all(map(_word, value)) and all(map(_framing, value.values())),
        "(scale, dx, dy) for each detector",
    ),
    "temperature": _POSITIVE,
    "votes_temperature": _POSITIVE,
    "uncertain_below": _SHARE,
    "mixture_above": _SHARE,
    "parameters": _COUNT,
    "multiply_adds": _COUNT,
    "scores": (lambda value: isinstance(value, Mapping), "a table of scores"),
    "recipe": (lambda value: isinstance(value, str | Mapping), "a recipe's text or table"),
    "license": _TEXT,
    "date": _TEXT,
    "version": (lambda value: _count(value) and value >= 1, f"a card version from 1 to {CARD_VERSION}"),
}
