"""Where a run was made: versions, machine, commit and data, so that somebody else can make it again."""

from __future__ import annotations

import datetime
import hashlib
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

import mien
from mien._version import __version__
from mien.datasets.dataset import USAGES, FaceDataset
from mien.datasets.splits import split_training_validation
from mien.evaluation import evaluate
from mien.training.recipe import Recipe

#: Instructions that decide how fast a network trains.
_INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")
_PACKAGES = ("numpy", "keras", "tensorflow", "tensorflow-cpu", "torch", "jax", "onnx", "onnxruntime", "scikit-learn")


def describe_environment(recipe: Recipe, faces: FaceDataset, command: str) -> dict[str, Any]:
    """Everything a run depends on that its recipe does not say."""
    return {
        "mien": __version__,
        "begun": utc_now(),
        "command": command,
        "seed": recipe.training.seed,
        "data": describe_data(recipe, faces),
        "commit": git_commit(),
        "versions": package_versions(),
        "machine": describe_machine(),
    }


def describe_data(recipe: Recipe, faces: FaceDataset) -> dict[str, Any]:
    """The faces of a run: how many of each split, and letters that are the same for the same faces, all or held out."""
    there = {usage: int((faces.usage == usage).sum()) for usage in USAGES}
    _, kept = split_training_validation(recipe.data, faces)
    return {
        "fingerprint": fingerprint_dataset(faces),
        **({"held_out": evaluate.fingerprint_faces(kept)} if len(kept) else {}),
        "faces": len(faces),
        "splits": {usage: count for usage, count in there.items() if count},
        "problems": len(faces.problems),
        "sources": [source.path for source in recipe.data.sources],
    }


def fingerprint_dataset(faces: FaceDataset) -> str:
    """Twenty letters, the same for the same faces with the same labels, splits, votes and groups in the same order."""
    digest = hashlib.sha256(np.ascontiguousarray(faces.pixels).tobytes())
    for part in (faces.labels.astype(np.int64), faces.votes.astype(np.int16)):
        digest.update(np.ascontiguousarray(part).tobytes())
    for words in (faces.classes, faces.usage, [] if faces.groups is None else faces.groups):
        digest.update("\0".join(map(str, words)).encode())
    return digest.hexdigest()[:20]


def package_versions() -> dict[str, str]:
    """Python and what is installed of the packages that training stands on."""
    found = {name: _version(name) for name in _PACKAGES}
    return {"python": platform.python_version()} | {name: told for name, told in found.items() if told}


def describe_machine() -> dict[str, Any]:
    """The processor, its cores that may be used, and its memory."""
    model, flags = _processor()
    return {
        "processor": " ".join((model or platform.processor()).split()),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "instructions": [flag for flag in _INSTRUCTIONS if flag in flags],
        "memory_gb": _memory(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def git_commit() -> str:
    """The commit of mien's sources, or else of the folder we are in; ``+`` where files differ from it."""
    for folder in (Path(mien.__file__).parent, Path.cwd()):
        if head := _git(folder, "rev-parse", "--short=12", "HEAD"):
            return head + ("+" if _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".") else "")
    return ""


def utc_now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _git(folder: Path, *words: str) -> str:
    try:
        command = ["git", "-C", str(folder), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _processor() -> tuple[str, set[str]]:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return "", set()
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    return facts.get("model name", ""), set(facts.get("flags", "").split())


def _memory() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, OSError, ValueError):
        return None


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
