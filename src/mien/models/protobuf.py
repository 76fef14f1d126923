"""Reading and writing protobuf on the wire: the few lines of it that an ONNX file's card and tensor names need.

A message is a row of fields; a field is a number, a wire type and a value.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

Buffer: TypeAlias = bytes | memoryview

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_SIZES = {_FIXED64: 8, _FIXED32: 4}


class ProtobufError(ValueError):
    """The bytes end in the middle of a field, or were never protobuf."""


class ProtobufField(NamedTuple):
    """One field: its number, its content (empty for numbers), and where it begins and ends in the message."""

    number: int
    content: memoryview
    start: int
    end: int


def read_fields(message: Buffer) -> Iterator[ProtobufField]:
    """Every field of a message, in order. Raises ``Torn`` where the message stops making sense."""
    view, at = memoryview(message), 0
    while at < len(view):
        start = at
        tag, at = _varint(view, at)
        content, at = _content(view, at, tag & 7)
        if tag >> 3 == 0:
            raise ProtobufError(f"field number 0 at byte {start}")
        yield ProtobufField(tag >> 3, content, start, at)


def read_messages(message: Buffer, number: int) -> Iterator[memoryview]:
    """The contents of every field with that number."""
    return (field.content for field in read_fields(message) if field.number == number)


def read_integers(message: Buffer, number: int) -> Iterator[int]:
    """The whole numbers of every field with that number, one to a field or packed together; as two's complement."""
    view = memoryview(message)
    for field in read_fields(message):
        if field.number == number:
            tag, begins = _varint(view, field.start)
            yield from _varints(field.content if tag & 7 == _BYTES else view[begins : field.end])


def decode_text(content: Buffer) -> str:
    """A string field's content."""
    return bytes(content).decode("utf-8")


def encode_field(number: int, content: bytes | str) -> bytes:
    """A field of text, bytes or an inner message."""
    raw = content.encode("utf-8") if isinstance(content, str) else content
    return _pack_varint(number << 3 | _BYTES) + _pack_varint(len(raw)) + raw


def _content(view: memoryview, at: int, kind: int) -> tuple[memoryview, int]:
    if kind == _VARINT:
        return view[:0], _varint(view, at)[1]
    size, at = _varint(view, at) if kind == _BYTES else (_FIXED_SIZES.get(kind, -1), at)
    if size < 0:
        raise ProtobufError(f"wire type {kind} at byte {at}")
    if at + size > len(view):
        raise ProtobufError(f"{at + size - len(view)} bytes are missing at the end")
    return view[at : at + size], at + size


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(view):
            raise ProtobufError("the last number is cut off")
        byte, at = view[at], at + 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise ProtobufError(f"a number without an end before byte {at}")


def _varints(row: memoryview) -> Iterator[int]:
    at = 0
    while at < len(row):
        number, at = _varint(row, at)
        yield number - (1 << 64) if number >> 63 else number


def _pack_varint(number: int) -> bytes:
    packed = bytearray()
    while number > 0x7F:
        packed.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*packed, number])
