"""The environment of a run: versions, machine, commit and data, so that it can be reproduced."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import mien
from mien._version import __version__
from mien.datasets.dataset import USAGES
from mien.evaluation import evaluate
from mien.training.plan import RunPlan

#: Processor instructions on which the speed of training depends.
_INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")
_PACKAGES = ("numpy", "keras", "tensorflow", "tensorflow-cpu", "torch", "jax", "onnx", "onnxruntime", "scikit-learn")


def describe_environment(plan: RunPlan, command: str) -> dict[str, Any]:
    """Everything a run depends on that is not in its recipe."""
    return {
        "mien": __version__,
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": command,
        "seed": plan.recipe.training.seed,
        "data": describe_data(plan),
        "commit": git_commit(),
        "versions": package_versions(),
        "machine": describe_machine(),
    }


def describe_data(plan: RunPlan) -> dict[str, Any]:
    """The number of faces of each split, and fingerprints of all faces and of the validation faces."""
    counts = {usage: int((plan.faces.usage == usage).sum()) for usage in USAGES}
    return {
        "fingerprint": plan.fingerprint,
        **({"validation": evaluate.fingerprint_faces(plan.validation)} if len(plan.validation) else {}),
        "faces": len(plan.faces),
        "splits": {usage: count for usage, count in counts.items() if count},
        "synthetic": plan.faces.synthetic,
        "problems": len(plan.faces.problems),
        "sources": [source.path for source in plan.recipe.data.sources],
    }


def package_versions() -> dict[str, str]:
    """The versions of Python and of the installed packages that training needs."""
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


def describe_machine() -> dict[str, Any]:
    """The processor, the number of its cores that may be used, and the memory."""
    model, flags = _read_processor()
    return {
        "processor": " ".join((model or platform.processor()).split()),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "instructions": [flag for flag in _INSTRUCTIONS if flag in flags],
        "memory_gb": _measure_memory(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def git_commit() -> str:
    """The commit of the source code of mien, or else of the current folder; with ``+`` where files are modified."""
    for folder in (Path(mien.__file__).parent, Path.cwd()):
        if head := _run_git(folder, "rev-parse", "--short=12", "HEAD"):
            return head + ("+" if _run_git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".") else "")
    return ""


def _run_git(folder: Path, *arguments: str) -> str:
    try:
        command = ["git", "-C", str(folder), *arguments]
        result = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return result.stdout.strip()


def _read_processor() -> tuple[str, set[str]]:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return "", set()
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    return facts.get("model name", ""), set(facts.get("flags", "").split())


def _measure_memory() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, OSError, ValueError):
        return None
