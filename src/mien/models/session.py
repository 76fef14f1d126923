"""Opening and running ONNX Runtime sessions; its own exceptions end here and become ours."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as state

from mien.errors import ModelDamaged, ModelError
from mien.models.file import damaged

#: What a session raises; these classes have no common parent but Exception. Python's own come from its binding.
RUNTIME_ERRORS = (
    state.EPFail,
    state.Fail,
    state.InvalidArgument,
    state.InvalidGraph,
    state.InvalidProtobuf,
    state.NoSuchFile,
    state.NotImplemented,
    state.RuntimeException,
    RuntimeError,
    ValueError,
)

#: Small networks gain nothing from more, and the detectors want cores too.
_MOST_THREADS = 4

_SILENT = 4

#: Before its sentence ONNX Runtime puts its own name, a number and a constant.
_PREFIX = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ")


def open_session(model: bytes, name: str, threads: int | None = None) -> Any:
    """A session on the CPU that may be run from several threads; ``threads`` is how many cores one run takes."""
    options = _options(_default_threads() if threads is None else threads)
    try:
        # Falling back would try the same provider again, and print about it.
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    except RUNTIME_ERRORS as error:
        raise _refused(name, error) from error


def run(session: Any, outputs: Sequence[str], faces: NDArray[np.uint8], name: str) -> list[NDArray[Any]]:
    """The named outputs for a batch of raw faces; the graph takes them as uint8 or as float32."""
    entry = session.get_inputs()[0]
    feed = faces if entry.type == "tensor(uint8)" else faces.astype(np.float32)
    try:
        found: list[NDArray[Any]] = session.run(list(outputs), {entry.name: feed})
    except RUNTIME_ERRORS as error:
        happened = f"{name} stopped while running: {_first_line(error)}"
        raise ModelError(happened, "Expected a graph that runs on the CPU", "Export the model again") from error
    return found


def _options(threads: int) -> Any:
    if threads < 1:
        raise ModelError(f"The model got {threads} threads to run on", "Expected 1 or more", "Leave the number out")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # Waiting threads would otherwise spin, and take the cores from the detector and from other sessions.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Failures are raised; a library writes nothing to the terminal.
    options.log_severity_level = _SILENT
    return options


def _default_threads() -> int:
    # Containers and taskset give a process fewer cores than the machine has.
    mine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(mine or 1, _MOST_THREADS)


def _refused(name: str, error: Exception) -> ModelDamaged:
    return damaged(name, f"ONNX Runtime says: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    told = str(error).strip().partition("\n")[0]
    return _PREFIX.sub("", told)[:300] or type(error).__name__
