"""The bytes of a model file, and what they seem to be when they are no model."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

from mien.errors import ModelDamaged, ModelError, ModelMissing, suggest_name
from mien.models import protobuf

#: A model by its place or by its bytes.
ModelSource: TypeAlias = str | os.PathLike[str] | bytes

#: ``ModelProto.graph`` in onnx.proto: a file without one is no model.
GRAPH = 7

_OTHER_KINDS = {
    b"\x89HDF": "a Keras .h5 file",
    b"PK\x03\x04": "a .keras archive, a PyTorch file or another zip",
    b"\x80": "a Python pickle, which mien never opens",
    b"version https://git-lfs": "a Git LFS pointer; the file itself was not downloaded",
    b"<": "a web page",
}


def read_model(source: ModelSource) -> bytes:
    """The whole file, known to be protobuf with a graph; ModelMissing or ModelDamaged otherwise."""
    model = source if isinstance(source, bytes) else read_file(Path(source))
    _check(model, describe_source(source))
    return model


def describe_source(source: ModelSource) -> str:
    """How messages call a model."""
    return "The model" if isinstance(source, bytes) else f"'{os.fspath(source)}'"


def missing_file_error(path: Path) -> ModelMissing:
    """The error for a path where nothing is, with the nearest name beside it."""
    folder = path.parent
    hint = (
        suggest_name(path.name, _names_in(folder)) if folder_exists(folder) else f"There is no folder '{folder}' either"
    )
    return ModelMissing(f"There is no model file '{path}'", "Expected the path of an .onnx file", hint)


def damaged_file_error(name: str, reason: str) -> ModelDamaged:
    """The error for bytes that are no whole ONNX model."""
    return ModelDamaged(
        f"{name} cannot be read as a model: {reason}",
        "Expected a whole ONNX file",
        "Copy or export it again; 'mien models' lists the models that are at hand",
    )


def read_file(path: Path) -> bytes:
    """The content of a file; ModelMissing when it cannot be had."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise missing_file_error(path) from None
    except IsADirectoryError:
        expected = "Expected an .onnx file, or a run's folder with model.onnx in it"
        raise ModelMissing(f"'{path}' is a folder", expected, "Name the file") from None
    except (OSError, ValueError) as error:
        happened = f"'{path}' cannot be opened: {getattr(error, 'strerror', None) or error}"
        raise ModelMissing(happened, "Expected a readable file", "Check the path and the permissions") from error


def file_exists(path: Path) -> bool:
    """Is a file there? A path that may not be looked at, or cannot be one, counts as nothing there."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def folder_exists(path: Path) -> bool:
    """Is a folder there? As ``is_file``."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _names_in(folder: Path) -> list[str]:
    try:
        return [each.name for each in folder.iterdir()]
    except OSError:
        return []


def _check(model: bytes, name: str) -> None:
    if not model:
        raise damaged_file_error(name, "it is empty")
    try:
        whole = any(field.number == GRAPH and field.content for field in list(protobuf.read_fields(model)))
    except protobuf.ProtobufError as error:
        raise damaged_file_error(name, _other_kind(model) or f"it is cut off, or no ONNX at all ({error})") from None
    if not whole:
        raise damaged_file_error(name, _other_kind(model) or "there is no graph in it")


def _other_kind(model: bytes) -> str:
    found = next((kind for magic, kind in _OTHER_KINDS.items() if model.startswith(magic)), "")
    if model[4:8] == b"TFL3":
        found = "a TFLite file"
    return f"it looks like {found}" if found else ""


# ==== mien.models.graph
# The tensors inside an ONNX graph: their names in order, and how one of them becomes an output.

#: Field numbers of GraphProto, NodeProto and ValueInfoProto in onnx.proto.
_NODE, _OUTPUT = 1, 12
_NODE_OUTPUT, _NODE_NAME, _NODE_OP = 2, 3, 4
_VALUE_NAME = 1


class GraphTensor(NamedTuple):
    """A tensor inside a graph: its name, and the operation (``Conv``, ``MaxPool``, ...) and node that make it."""

    name: str
    op: str
    node: str


def list_tensors(model: ModelSource) -> tuple[GraphTensor, ...]:
    """Every tensor the graph computes, outputs included, in the order of computation; constants are left out."""
    raw = read_model(model)
    try:
        return tuple(tensor for node in _in_graph(raw, _NODE) for tensor in _made_by(node) if tensor.op != "Constant")
    except (protobuf.ProtobufError, UnicodeDecodeError) as error:
        raise damaged_file_error(describe_source(model), str(error)) from error


def add_outputs(model: bytes, names: Iterable[str]) -> bytes:
    """The same model with these inner tensors as further outputs.

    Protobuf merges a message that is written twice, so a second graph that holds nothing but outputs is appended.
    ONNX Runtime finds their shapes and types by itself.
    """
    outputs = _outputs(model)
    _check_graph(names := tuple(names), [tensor.name for tensor in list_tensors(model)])
    added = [
        protobuf.encode_field(_OUTPUT, protobuf.encode_field(_VALUE_NAME, name))
        for name in dict.fromkeys(names)
        if name not in outputs
    ]
    return model + protobuf.encode_field(GRAPH, b"".join(added)) if added else model


def _check_graph(names: tuple[str, ...], known: list[str]) -> None:
    for name in names:
        if name not in known:
            hint = suggest_name(name, known) or "mien.models.list_tensors(model) lists them"
            raise ModelError(f"The model has no tensor '{name}'", "Expected the name of a tensor in its graph", hint)


def _outputs(model: bytes) -> set[str]:
    return {
        protobuf.decode_text(name)
        for output in _in_graph(model, _OUTPUT)
        for name in protobuf.read_messages(output, _VALUE_NAME)
    }


def _in_graph(model: bytes, number: int) -> Iterator[memoryview]:
    for graph in protobuf.read_messages(model, GRAPH):
        yield from protobuf.read_messages(graph, number)


def _made_by(node: memoryview) -> Iterator[GraphTensor]:
    name, op = (
        "".join(map(protobuf.decode_text, protobuf.read_messages(node, number))) for number in (_NODE_NAME, _NODE_OP)
    )
    outputs = map(protobuf.decode_text, protobuf.read_messages(node, _NODE_OUTPUT))
    return (GraphTensor(output, op, name) for output in outputs if output)
