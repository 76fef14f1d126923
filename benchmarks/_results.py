"""Result files: the figures of a benchmark with its date, commit, command and machine."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"

#: Instruction sets that determine the speed of inference.
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
PACKAGES = ("numpy", "opencv-python-headless", "onnxruntime", "pillow")


def describe_machine() -> dict[str, Any]:
    """The processor and the versions that the figures depend on."""
    model, flags = _read_processor()
    return {
        "processor": model or platform.processor(),
        "cores": os.cpu_count(),
        "instructions": [flag for flag in FLAGS if flag in flags],
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: _find_version(name) for name in PACKAGES},
    }


def describe_commit() -> str:
    """The short hash of the measured commit, with ``+`` if ``src`` has uncommitted changes."""
    head = _run_git("rev-parse", "--short", "HEAD")
    return head + ("+" if _run_git("status", "--porcelain", "--untracked-files=no", "--", "src") else "")


def describe_command() -> str:
    """The command line, with paths shortened to their last part."""
    script = Path(sys.argv[0]).resolve()
    name = script.relative_to(HERE.parent) if script.is_relative_to(HERE.parent) else script.name
    return " ".join(["python", str(name), *(Path(word).name if "/" in word else word for word in sys.argv[1:])])


def write_result(name: str, figures: dict[str, Any]) -> Path:
    """Write ``results/NAME.json`` and return its path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    result = {
        "date": time.strftime("%Y-%m-%d"),
        "commit": describe_commit(),
        "command": describe_command(),
        "machine": describe_machine(),
        "figures": figures,
    }
    path.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    return path


def write_or_print(name: str, figures: dict[str, Any], dry: bool) -> None:
    """Print the figures and write nothing if ``dry``, else write the result file."""
    print(json.dumps(figures, indent=2) if dry else f"written: {write_result(name, figures).name}")


def _read_processor() -> tuple[str, set[str]]:
    """The model name and the flags of the processor; both empty where the system does not tell them."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "", set()
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    entries = {key.strip(): value.strip() for key, value in pairs}
    return entries.get("model name", ""), set(entries.get("flags", "").split())


def _find_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _run_git(*arguments: str) -> str:
    process = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False, cwd=HERE)
    return process.stdout.strip()
