"""What a reading says, in words: always what the expression looks like, never what the person feels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mien import words
from mien.apps.cli.output import printable

if TYPE_CHECKING:
    from mien.types import FrameResult, Reading, Share


def looks(label: str) -> str:
    return printable(words.looks(label))


def percent(share: float) -> str:
    return words.percent(share)


def listed(shares: Iterable[Share]) -> str:
    """``60 % sad, 30 % neutral``; nothing for no shares."""
    return printable(words.listed(shares))


def notes(reading: Reading) -> tuple[str, ...]:
    """What speaks against trusting this reading, each in a phrase; empty when nothing does."""
    unsure = reading.emotions.uncertain
    quality = reading.quality
    return tuple(
        phrase
        for phrase in (
            f"unsure: {unsure}" if unsure else "",
            "" if quality.ok else f"hard to judge: {quality.reason or 'the face is not clear'}",
        )
        if phrase
    )


def plain_lines(result: FrameResult) -> Sequence[str]:
    """A result for pipes and files that are read by people: one line a face, always in the same form."""
    name = printable(result.source)
    faces = result.readings
    if not faces:
        return [f"{name}: no face found"]
    return [f"{name}: face {i} of {len(faces)} {_plain(reading)}" for i, reading in enumerate(faces, 1)]


def _plain(reading: Reading) -> str:
    box, emotions = reading.face.box, reading.emotions
    mixture = f"people would say {listed(emotions.mixture)}" if emotions.mixture else ""
    said = [
        f"({box.width}x{box.height} at {box.x},{box.y}) {looks(emotions.top)}, {percent(emotions[emotions.top])}",
        *filter(None, [mixture]),
        *notes(reading),
    ]
    return "; ".join(said)
