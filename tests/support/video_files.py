"""Small video files, written by ffmpeg during the test run."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.video import open_writer

EXAMPLES = Path(__file__).parents[2] / "examples"

#: ffmpeg's input: 25 frames of 160 x 120; every frame differs, and left differs from right.
TEST_PATTERN = ("-f", "lavfi", "-i", "testsrc=size=160x120:rate=25:duration=1")


def ffmpeg(*arguments: object) -> Path:
    """Run ffmpeg; the last argument is the file that it writes, which is returned."""
    program = shutil.which("ffmpeg")
    if program is None and os.environ.get("MIEN_REQUIRE_FFMPEG"):
        pytest.fail("MIEN_REQUIRE_FFMPEG is set, and ffmpeg is not installed")
    if program is None:
        pytest.skip("ffmpeg writes the videos, and is not installed")
    subprocess.run([program, "-v", "error", "-y", *map(str, arguments)], check=True)
    return Path(str(arguments[-1]))


def write_test_pattern(path: Path, *options: object) -> Path:
    return ffmpeg(*TEST_PATTERN, *options, path)


def two_faces() -> np.ndarray:
    """Two portraits side by side, 320 x 180."""
    return np.array(Image.open(EXAMPLES / "portraits.jpg").convert("RGB").resize((320, 180)), np.uint8)


def write_still_video(path: Path, pixels: np.ndarray, seconds: float = 1.0, rate: int = 25, *options: object) -> Path:
    """A video of one image that does not move."""
    image = path.with_suffix(".still.png")
    Image.fromarray(pixels).save(image)
    output = ("-pix_fmt", "yuv420p", *options)
    return ffmpeg("-loop", 1, "-framerate", rate, "-i", image, "-t", seconds, *output, path)


def write_shots(path: Path, shots: Sequence[np.ndarray], seconds: float, rate: int = 25) -> Path:
    """A video of several images of the same size, each for some seconds."""
    with open_writer(path.with_suffix(".webm"), (shots[0].shape[1], shots[0].shape[0]), rate) as writer:
        for index in range(round(len(shots) * seconds * rate)):
            writer.write(np.ascontiguousarray(shots[int(index / rate / seconds)]), index / rate)
    return path.with_suffix(".webm")
