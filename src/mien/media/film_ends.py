"""Is a film file whole? Containers say how long they are; a copy that broke off is shorter."""

from __future__ import annotations

from pathlib import Path
from typing import IO


def missing(path: Path) -> str | None:
    """``it is cut off: 300 of 1,000 bytes are there``; None for a whole file, and for one that does not say."""
    size = path.stat().st_size
    with path.open("rb") as file:
        told = _told(file, size)
    if told is None or told <= size:
        return None
    return f"it is cut off: {size:,} of at least {told:,} bytes are there"


def _told(file: IO[bytes], size: int) -> int | None:
    head = file.read(12)
    if head[:4] == b"RIFF":
        return int.from_bytes(head[4:8], "little") + 8
    if head[:4] == b"\x1aE\xdf\xa3":
        return _matroska(file)
    return _atoms(file, size) if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip") else None


def _atoms(file: IO[bytes], size: int) -> int:
    """Where the last atom of an mp4 or mov ends: each begins with its length."""
    place = 0
    while place < size:
        file.seek(place)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:  # 0 goes to the end of the file; anything else is damage that others will find
            return size
        place += length
    return place


def _matroska(file: IO[bytes]) -> int | None:
    """Where the segment of a webm or mkv ends; None where it was streamed and nobody knew."""
    file.seek(4)
    length = _varint(file)
    file.seek(length or 0, 1)
    if file.read(4) != b"\x18S\x80g":
        return None
    told = _varint(file)
    return None if told is None else file.tell() + told


def _varint(file: IO[bytes]) -> int | None:
    """A number of Matroska's: the first byte says how many bytes there are; all ones mean unknown."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    more = 8 - first[0].bit_length()
    value = int.from_bytes(bytes([first[0] & (0x7F >> more)]) + file.read(more), "big")
    return None if value == (1 << 7 * (more + 1)) - 1 else value
