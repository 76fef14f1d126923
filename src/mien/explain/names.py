"""Names for layers, made of the names that exporters leave in a graph: short, readable, and each only once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

#: What exporters call operations; a layer is called after what stands before it.
_OPERATIONS = {"convolution", "biasadd", "matmul", "maxpool2d", "maxpool", "avgpool", "mean", "batchnorm", "mul_1"}

#: Names that an exporter made up: ``Conv__138``, ``Identity``, ``onnx::Conv_12``, or a mere number.
_MADE_UP = re.compile(r"(?:onnx::)?(?:Conv|Gemm|MatMul|Add|Relu|MaxPool|AveragePool|Mul|Softmax|Clip|Identity)?_*\d*$")


class Named(NamedTuple):
    """A layer to be named: its kind, its tensor's name, and whether it pools over all places."""

    kind: str
    tensor: str
    overall: bool = False


def readable(layers: Sequence[Named]) -> list[str]:
    """A name for each layer: ``stem``, ``stage1.block2.conv1``, ``conv3``."""
    paths = [_bare(path) for path in _without_common([_steps(layer.tensor) for layer in layers])]
    names = [_shortened(place, layers, paths) for place in range(len(layers))]
    names = [layer.kind if _MADE_UP.match(name) else name for name, layer in zip(names, layers, strict=True)]
    return _unique(names, [layer.kind for layer in layers])


def _steps(tensor: str) -> tuple[str, ...]:
    """The steps of a tensor's name, a number taken to the word behind it: ``block1/2/conv`` is block1, conv2."""
    merged: list[str] = []
    for step in filter(None, re.sub(r":\d+$", "", tensor).split("/")):
        number = merged.pop() if merged and merged[-1].isdigit() and not step.isdigit() else ""
        merged.append(step + number)
    return tuple(merged)


def _without_common(paths: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The first step that all longer names share says nothing; so does the next."""
    while len(deep := [path for path in paths if len(path) > 1]) > 1 and len({path[0] for path in deep}) == 1:
        paths = [path[1:] if len(path) > 1 else path for path in paths]
    return paths


def _bare(path: tuple[str, ...]) -> tuple[str, ...]:
    """Without the names of operations at its end, as long as something is left."""
    while len(path) > 1 and path[-1].lower() in _OPERATIONS:
        path = path[:-1]
    return path


def _shortened(place: int, layers: Sequence[Named], paths: Sequence[tuple[str, ...]]) -> str:
    """A group's last activation, and a pooling over all, stand for the group: ``stage1.block1``, not ``...relu``."""
    path = paths[place]
    group = path[:-1]
    last = place == max(i for i, other in enumerate(paths) if other[: len(group)] == group)
    stands = layers[place].overall or (layers[place].kind == "activation" and not path[-1][-1].isdigit())
    return ".".join(group if group and last and stands and group not in paths else path)


def _unique(names: list[str], kinds: Sequence[str]) -> list[str]:
    """What is there twice gets its kind, where that tells it apart, and else a number."""
    counted = Counter(names)
    told = [f"{n}.{k}" if counted[n] > 1 and n != k else n for n, k in zip(names, kinds, strict=True)]
    again, seen = Counter(told), Counter[str]()
    unique = []
    for name in told:
        seen[name] += 1
        unique.append(f"{name}{seen[name]}" if again[name] > 1 else name)
    return unique
