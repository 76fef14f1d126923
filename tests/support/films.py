"""Small real films, made by ffmpeg in the test run, and faces that move through frames of our own."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[2] / "examples"

#: 25 frames of 160 x 120 in which every frame differs and left is not right.
PATTERN = ("-f", "lavfi", "-i", "testsrc=size=160x120:rate=25:duration=1")


def ffmpeg(*words: object) -> Path:
    """Run ffmpeg; the last word is the file it writes."""
    program = shutil.which("ffmpeg")
    if program is None and os.environ.get("MIEN_REQUIRE_FFMPEG"):
        pytest.fail("MIEN_REQUIRE_FFMPEG is set, and there is no ffmpeg")
    if program is None:
        pytest.skip("ffmpeg makes the films, and is not installed")
    subprocess.run([program, "-v", "error", "-y", *map(str, words)], check=True)
    return Path(str(words[-1]))


def pattern(path: Path, *words: object) -> Path:
    return ffmpeg(*PATTERN, *words, path)


def two_people() -> np.ndarray:
    """Both portraits side by side, 320 x 180."""
    return np.array(Image.open(EXAMPLES / "portraits.jpg").convert("RGB").resize((320, 180)), np.uint8)


def film_of(path: Path, pixels: np.ndarray, seconds: float = 1.0, rate: int = 25, *words: object) -> Path:
    """A film in which one picture stands still."""
    still = path.with_suffix(".still.png")
    Image.fromarray(pixels).save(still)
    form = ("-pix_fmt", "yuv420p", *words)
    return ffmpeg("-loop", 1, "-framerate", rate, "-i", still, "-t", seconds, *form, path)
