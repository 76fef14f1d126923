"""Sessions of ONNX Runtime: models and detectors are opened and run by the same code."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from threading import Timer
from typing import Any

import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as state

#: Small networks are not faster with more threads, and the other part of the engine needs cores too.
MAX_THREADS = 4

#: The exceptions of ONNX Runtime, which have no common base but Exception, and those of its Python binding.
_RUNTIME_ERRORS = (
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

#: ONNX Runtime begins its messages with its name, a number and a constant.
_ERROR_PREFIX = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ")

_FATAL_ONLY = 4


class SessionError(Exception):
    """A graph that cannot be opened or run, with the first line of ONNX Runtime's message."""


class OnnxSession:
    """A graph that runs on the CPU. It has no state; threads may share it.

    ``threads`` is the number of cores that one run uses; None uses those of the process, up to MAX_THREADS.
    """

    def __init__(self, model: bytes, threads: int | None = None) -> None:
        if threads is None:
            # Containers and taskset give a process fewer cores than the machine has.
            cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
            threads = min(cores or 1, MAX_THREADS)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        # Waiting threads would otherwise spin, and take the cores from the detector and from other sessions.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Failures are raised; a library prints nothing.
        options.log_severity_level = _FATAL_ONLY
        try:
            # The fallback would try the same provider again, and print a message.
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"], enable_fallback=0
            )
        except _RUNTIME_ERRORS as error:
            raise SessionError(_first_line(error)) from error

    @property
    def inputs(self) -> Sequence[Any]:
        """The inputs with ``name``, ``shape`` and ``type``."""
        return list(self._session.get_inputs())

    @property
    def outputs(self) -> Sequence[Any]:
        """The outputs with ``name``, ``shape`` and ``type``."""
        return list(self._session.get_outputs())

    def run(self, outputs: Sequence[str], feed: NDArray[Any], *, time_limit: float | None = None) -> list[NDArray[Any]]:
        """These outputs for the first input of the graph; after ``time_limit`` seconds the run is ended."""
        options = onnxruntime.RunOptions()
        timer = Timer(time_limit, setattr, (options, "terminate", True)) if time_limit else None
        if timer:
            timer.daemon = True
            timer.start()
        try:
            inputs = {self._session.get_inputs()[0].name: feed}
            values: list[NDArray[Any]] = self._session.run(list(outputs), inputs, options)
        except _RUNTIME_ERRORS as error:
            if options.terminate:
                raise SessionError(f"it was not finished after {time_limit:g} seconds") from error
            raise SessionError(_first_line(error)) from error
        finally:
            if timer:
                timer.cancel()
        return values


def _first_line(error: Exception) -> str:
    line = str(error).strip().partition("\n")[0]
    return _ERROR_PREFIX.sub("", line)[:300] or type(error).__name__
