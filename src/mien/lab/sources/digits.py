"""Numbers written as text, 74 million of them: decoded a batch at a time with whole-array arithmetic.

numpy's own readers take the real CSV at 30 to 60 MB/s. Here no number is ever looked at alone: the digit before a
blank is a unit, the one before it a ten, the one before that a hundred.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.lab.sources.source import SIDE

PIXELS = SIDE * SIDE
_BLANK, _ZERO = np.uint8(32), np.uint8(48)


def decoded(cells: list[bytes]) -> list[NDArray[np.uint8] | str]:
    """For each cell its 2304 pixels, uint8 (2304,), or the reason why it has none."""
    clean = _clean(cells)
    if clean is not None:
        return list(clean)
    if len(cells) == 1:
        return [_slowly(cells[0])]
    middle = len(cells) // 2
    return decoded(cells[:middle]) + decoded(cells[middle:])


def _clean(cells: list[bytes]) -> NDArray[np.uint8] | None:
    """(N, 2304), or None where any cell holds anything but 2304 numbers of 0 to 255 in up to three digits."""
    # Two blanks in front, so that every place has a digit or a blank two places before it.
    text = np.frombuffer(b"".join([b"  ", b" ".join(cells), b" "]), np.uint8)
    values = text - _ZERO
    digit = values < 10
    if np.count_nonzero(digit) + np.count_nonzero(text == _BLANK) != text.size:
        return None
    values *= digit
    units, tens = values[2:-1], values[1:-2]
    hundreds = values[:-3] * digit[1:-2] * digit[2:-1]
    below = tens * np.uint8(10) + units
    ends = digit[2:-1] > digit[3:]
    if _too_large(hundreds, below) or _too_long(digit) or not _counted(ends, cells):
        return None
    return (below + hundreds * np.uint8(100))[ends].reshape(-1, PIXELS)


def _too_large(hundreds: NDArray[np.uint8], below: NDArray[np.uint8]) -> bool:
    return bool((hundreds > 2).any() or ((hundreds == 2) & (below > 55)).any())


def _too_long(digit: NDArray[np.bool_]) -> bool:
    return bool((digit[:-3] & digit[1:-2] & digit[2:-1] & digit[3:]).any())


def _counted(ends: NDArray[np.bool_], cells: list[bytes]) -> bool:
    start = 0
    for cell in cells:
        if np.count_nonzero(ends[start : start + len(cell)]) != PIXELS:
            return False
        start += len(cell) + 1
    return True


def _slowly(cell: bytes) -> NDArray[np.uint8] | str:
    if cell.translate(None, b"0123456789 \t"):
        return "pixels that are no numbers"
    numbers = [number.lstrip(b"0") for number in cell.split()]
    if len(numbers) != PIXELS:
        return f"{len(numbers)} pixels instead of {PIXELS}"
    if any(len(number) > 3 for number in numbers) or max(int(number or b"0") for number in numbers) > 255:
        return "pixels outside 0 to 255"
    return np.array([int(number or b"0") for number in numbers], np.uint8)
