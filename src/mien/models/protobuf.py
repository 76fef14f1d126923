"""The protobuf wire format, as far as the card and the tensor names of an ONNX file need it.

A message is a sequence of fields; a field is a number, a wire type and a value. See
https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

Buffer: TypeAlias = bytes | memoryview

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_SIZES = {_FIXED64: 8, _FIXED32: 4}


class ProtobufError(ValueError):
    """The bytes end inside a field, or are not protobuf."""


class ProtobufField(NamedTuple):
    """A field: its number, its content (empty for numbers), and its start and end in the message."""

    number: int
    content: memoryview
    start: int
    end: int


def read_fields(message: Buffer) -> Iterator[ProtobufField]:
    """Every field of a message, in order; ProtobufError at the first that is malformed."""
    view, offset = memoryview(message), 0
    while offset < len(view):
        start = offset
        tag, offset = _read_varint(view, offset)
        content, offset = _read_content(view, offset, tag & 7)
        if tag >> 3 == 0:
            raise ProtobufError(f"field number 0 at byte {start}")
        yield ProtobufField(tag >> 3, content, start, offset)


def read_messages(message: Buffer, number: int) -> Iterator[memoryview]:
    """The contents of all fields with this number."""
    return (field.content for field in read_fields(message) if field.number == number)


def read_integers(message: Buffer, number: int) -> Iterator[int]:
    """The signed integers of all fields with this number, each in its own field or packed."""
    view = memoryview(message)
    for field in read_fields(message):
        if field.number == number:
            tag, start = _read_varint(view, field.start)
            values = field.content if tag & 7 == _BYTES else view[start : field.end]
            offset = 0
            while offset < len(values):
                value, offset = _read_varint(values, offset)
                yield value - (1 << 64) if value >> 63 else value


def decode_text(content: Buffer) -> str:
    """The content of a string field."""
    return bytes(content).decode("utf-8")


def encode_field(number: int, content: bytes | str) -> bytes:
    """A field with text, bytes or an inner message."""
    raw = content.encode("utf-8") if isinstance(content, str) else content
    return _encode_varint(number << 3 | _BYTES) + _encode_varint(len(raw)) + raw


def _read_content(view: memoryview, offset: int, wire_type: int) -> tuple[memoryview, int]:
    if wire_type == _VARINT:
        return view[:0], _read_varint(view, offset)[1]
    if wire_type == _BYTES:
        size, offset = _read_varint(view, offset)
    elif wire_type in _FIXED_SIZES:
        size = _FIXED_SIZES[wire_type]
    else:
        raise ProtobufError(f"wire type {wire_type} at byte {offset}")
    if offset + size > len(view):
        raise ProtobufError(f"{offset + size - len(view)} bytes are missing at the end")
    return view[offset : offset + size], offset + size


def _read_varint(view: memoryview, offset: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if offset >= len(view):
            raise ProtobufError("the last number is truncated")
        byte, offset = view[offset], offset + 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, offset
    raise ProtobufError(f"a number without an end before byte {offset}")


def _encode_varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
