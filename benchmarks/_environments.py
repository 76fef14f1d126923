"""Fresh environments, and what they weigh on disk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def create_environment(folder: Path, *installs: tuple[str, ...]) -> Path:
    """A new environment with each ``pip install`` run in turn; its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    python = folder / "bin" / "python"
    for words in installs:
        subprocess.run([python, "-m", "pip", "--disable-pip-version-check", "install", "-qq", *words], check=True)
    return python


def measure_disk_megabytes(folder: Path) -> int:
    """As ``du -sm`` counts: blocks on disk, in units of 2**20 bytes."""
    blocks = sum(path.lstat().st_blocks for path in folder.rglob("*"))
    return round(blocks * 512 / 2**20)
