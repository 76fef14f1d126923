"""What every result file says about where it came from: the machine, the commit, the command."""

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

#: Instructions that decide how fast a network runs.
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
PACKAGES = ("numpy", "opencv-python-headless", "onnxruntime", "pillow")


def describe_machine() -> dict[str, Any]:
    """The processor and the versions that the figures depend on."""
    model, flags = _processor()
    return {
        "processor": model or platform.processor(),
        "cores": os.cpu_count(),
        "instructions": [flag for flag in FLAGS if flag in flags],
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
    }


def describe_commit() -> str:
    """The commit that was measured, with ``+`` when the sources differed from it."""
    head = _git("rev-parse", "--short", "HEAD")
    return head + ("+" if _git("status", "--porcelain", "--untracked-files=no", "--", "src") else "")


def describe_command() -> str:
    """The command line, as somebody else would type it: paths are cut to their last part."""
    script = Path(sys.argv[0]).resolve()
    name = script.relative_to(HERE.parent) if script.is_relative_to(HERE.parent) else script.name
    return " ".join(["python", str(name), *(Path(word).name if "/" in word else word for word in sys.argv[1:])])


def write_result(name: str, figures: dict[str, Any]) -> Path:
    """Put the figures into ``results/name.json``, with the machine, the commit and the command."""
    RESULTS.mkdir(exist_ok=True)
    place = RESULTS / f"{name}.json"
    told = {
        "date": time.strftime("%Y-%m-%d"),
        "commit": describe_commit(),
        "command": describe_command(),
        "machine": describe_machine(),
        "figures": figures,
    }
    place.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    return place


def write_or_print(name: str, figures: dict[str, Any], dry: bool) -> None:
    """Print the figures and write nothing if ``dry``, else write the result file."""
    print(json.dumps(figures, indent=2) if dry else f"written: {write_result(name, figures).name}")


def _processor() -> tuple[str, set[str]]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "", set()
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    facts = {key.strip(): value.strip() for key, value in facts.items()}
    return facts.get("model name", ""), set(facts.get("flags", "").split())


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], capture_output=True, text=True, check=False, cwd=HERE)
    return done.stdout.strip()
