"""The tensors inside a network, on one face: opened as further outputs of a second session, kept for the next face."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.explain.blueprint import Blueprint, Node, dequantized
from mien.models.onnx import Tapped, tapped

#: How many selections of tensors stay open: a window shows one, a session of exploring a few.
_OPEN = 4


class Taps:
    """Sessions by what they show. Faces pass through and leave nothing behind; threads may share it."""

    def __init__(self, model: bytes, blueprint: Blueprint, threads: int | None = None) -> None:
        self._model = model
        self._blueprint = blueprint
        self._threads = threads
        self._open: OrderedDict[frozenset[str], Tapped] = OrderedDict()
        self._lock = Lock()

    def run(self, faces: NDArray[np.uint8], tensors: Iterable[str]) -> Mapping[str, NDArray[Any]]:
        """Each tensor by name, float32, for faces ``(N, side, side, channels)`` uint8."""
        wanted = {name: self._rounded(name) for name in dict.fromkeys(tensors)}
        session = self._session(frozenset(name if node is None else node.outputs[0] for name, node in wanted.items()))
        # A network of several views has the others behind the first of each face.
        found = {name: each[: len(faces)] for name, each in session.run(faces).items()}
        return {name: self._floats(found, name, node) for name, node in wanted.items()}

    def _session(self, shown: frozenset[str]) -> Tapped:
        with self._lock:
            if shown not in self._open:
                self._open[shown] = tapped(self._model, sorted(shown), threads=self._threads)
            self._open.move_to_end(shown)
            while len(self._open) > _OPEN:
                self._open.popitem(last=False)
            return self._open[shown]

    def _rounded(self, tensor: str) -> Node | None:
        """The node that rounds a tensor to eight bits.

        Looked at behind it, nothing in an eight-bit network runs otherwise than when it reads; before it, the runtime
        could not make one step of several.
        """
        return next((node for node in self._blueprint.takers.get(tensor, []) if node.op == "QuantizeLinear"), None)

    def _floats(self, found: Mapping[str, NDArray[Any]], tensor: str, node: Node | None) -> NDArray[np.float32]:
        if node is None:
            return np.asarray(found[tensor], np.float32)
        scale = self._blueprint.constant(node.inputs[1])
        zero = self._blueprint.constant(node.inputs[2]) if len(node.inputs) > 2 else None
        assert scale is not None, "a static rounding has its scale in the file"
        return dequantized(found[node.outputs[0]], scale, zero, node.attributes.get("axis", 1))
