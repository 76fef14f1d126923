"""New virtual environments, and their size on disk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def create_environment(folder: Path, *installs: tuple[str, ...]) -> Path:
    """Create a virtual environment, run each ``pip install`` in order, and return the path of its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    python = folder / "bin" / "python"
    for arguments in installs:
        subprocess.run([python, "-m", "pip", "--disable-pip-version-check", "install", "-qq", *arguments], check=True)
    return python


def measure_disk_megabytes(folder: Path) -> int:
    """The blocks on disk in units of 2**20 bytes, as ``du -sm`` counts them."""
    blocks = sum(path.lstat().st_blocks for path in folder.rglob("*"))
    return round(blocks * 512 / 2**20)
