"""A filter's numbers as a small picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.explain.pictures.tones import coloured


def kernel(weights: NDArray[np.float32], css: str = "kernel") -> str:
    """``(in, height, width)`` as SVG: orange adds, blue takes away. Of several inputs their mean is drawn."""
    values = weights.mean(axis=0)
    height, width = values.shape
    squares = "".join(
        f"<rect x='{column}' y='{row}' width='1.02' height='1.02' fill='#{red:02x}{green:02x}{blue:02x}'/>"
        for row, line in enumerate(coloured(values, "tide").tolist())
        for column, (red, green, blue) in enumerate(line)
    )
    return f"<svg class='{css}' viewBox='0 0 {width} {height}' aria-hidden='true' focusable='false'>{squares}</svg>"
