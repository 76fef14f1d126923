"""Reading ONNX files without the onnx package: the bytes, the tensors of the graph, and further outputs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

from mien.errors import ModelDamaged, ModelError, ModelMissing, suggest_name
from mien.models import protobuf

#: A model: the path of its file, or the bytes of the file.
ModelSource: TypeAlias = str | os.PathLike[str] | bytes

#: Field number of ``ModelProto.graph`` in onnx.proto.
GRAPH = 7

#: Field numbers of GraphProto, NodeProto and ValueInfoProto in onnx.proto.
_NODE, _OUTPUT = 1, 12
_NODE_OUTPUT, _NODE_NAME, _NODE_OP = 2, 3, 4
_VALUE_NAME = 1

#: What other files begin with.
_OTHER_FORMATS = {
    b"\x89HDF": "a Keras .h5 file",
    b"PK\x03\x04": "a .keras archive, a PyTorch file or another zip",
    b"\x80": "a Python pickle, which mien never opens",
    b"version https://git-lfs": "a Git LFS pointer; the file itself was not downloaded",
    b"<": "a web page",
}


class GraphTensor(NamedTuple):
    """A tensor of a graph: its name, and the operation (``Conv``, ``MaxPool``, ...) and node that compute it."""

    name: str
    op: str
    node: str


def read_model(source: ModelSource) -> bytes:
    """The bytes of a model, which are protobuf with a graph; ModelMissing or ModelDamaged if they are not."""
    model = source if isinstance(source, bytes) else read_file(Path(source))
    name = describe_source(source)
    if not model:
        raise damaged_file_error(name, "it is empty")
    try:
        fields = list(protobuf.read_fields(model))
    except protobuf.ProtobufError as error:
        reason = _describe_other_format(model) or f"it is truncated or not ONNX ({error})"
        raise damaged_file_error(name, reason) from None
    if not any(field.number == GRAPH and field.content for field in fields):
        raise damaged_file_error(name, _describe_other_format(model) or "it has no graph")
    return model


def list_tensors(model: ModelSource) -> tuple[GraphTensor, ...]:
    """Every tensor that the graph computes, outputs included, in the order of computation; constants are left out."""
    raw = read_model(model)
    try:
        tensors = tuple(tensor for node in _read_graph(raw, _NODE) for tensor in _read_node(node))
    except (protobuf.ProtobufError, UnicodeDecodeError) as error:
        raise damaged_file_error(describe_source(model), str(error)) from error
    return tuple(tensor for tensor in tensors if tensor.op != "Constant")


def add_outputs(model: bytes, names: Iterable[str]) -> bytes:
    """The same model with these tensors as further outputs.

    Protobuf merges a message that occurs twice, so a second graph that has only the outputs is appended. ONNX Runtime
    infers their shapes and types.
    """
    names = tuple(dict.fromkeys(names))
    tensors = [tensor.name for tensor in list_tensors(model)]
    for name in names:
        if name not in tensors:
            hint = suggest_name(name, tensors) or "mien.models.list_tensors(model) returns them"
            raise ModelError(f"The model has no tensor '{name}'", "Expected the name of a tensor of its graph", hint)
    outputs = {
        protobuf.decode_text(name)
        for output in _read_graph(model, _OUTPUT)
        for name in protobuf.read_messages(output, _VALUE_NAME)
    }
    further = [
        protobuf.encode_field(_OUTPUT, protobuf.encode_field(_VALUE_NAME, name))
        for name in names
        if name not in outputs
    ]
    return model + protobuf.encode_field(GRAPH, b"".join(further)) if further else model


def describe_source(source: ModelSource) -> str:
    """The name of a model in messages."""
    return "The model" if isinstance(source, bytes) else f"'{os.fspath(source)}'"


def read_file(path: Path) -> bytes:
    """The content of a file; ModelMissing if it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise missing_file_error(path) from None
    except IsADirectoryError:
        expected = "Expected an .onnx file, or a run's folder that contains model.onnx"
        raise ModelMissing(f"'{path}' is a folder", expected, "Pass the path of the file") from None
    except (OSError, ValueError) as error:
        happened = f"'{path}' cannot be opened: {getattr(error, 'strerror', None) or error}"
        raise ModelMissing(happened, "Expected a readable file", "Check the path and the permissions") from error


def file_exists(path: Path) -> bool:
    """False also for a path that cannot be checked or cannot exist, such as one with a null byte."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def folder_exists(path: Path) -> bool:
    """As :func:`file_exists`, for a folder."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def missing_file_error(path: Path) -> ModelMissing:
    """The error for a path that does not exist, with the most similar name in its folder."""
    folder = path.parent
    if not folder_exists(folder):
        hint = f"There is no folder '{folder}' either"
    else:
        try:
            hint = suggest_name(path.name, [file.name for file in folder.iterdir()])
        except OSError:
            hint = ""
    return ModelMissing(f"There is no model file '{path}'", "Expected the path of an .onnx file", hint)


def damaged_file_error(name: str, reason: str) -> ModelDamaged:
    """The error for bytes that are not a complete ONNX model."""
    return ModelDamaged(
        f"{name} cannot be read as a model: {reason}",
        "Expected a complete ONNX file",
        "Copy or export it again; 'mien models' lists the available models",
    )


def _describe_other_format(model: bytes) -> str:
    if model[4:8] == b"TFL3":
        return "it looks like a TFLite file"
    return next((f"it looks like {name}" for magic, name in _OTHER_FORMATS.items() if model.startswith(magic)), "")


def _read_graph(model: bytes, number: int) -> Iterator[memoryview]:
    for graph in protobuf.read_messages(model, GRAPH):
        yield from protobuf.read_messages(graph, number)


def _read_node(node: memoryview) -> Iterator[GraphTensor]:
    name, op = (
        "".join(map(protobuf.decode_text, protobuf.read_messages(node, number))) for number in (_NODE_NAME, _NODE_OP)
    )
    outputs = map(protobuf.decode_text, protobuf.read_messages(node, _NODE_OUTPUT))
    return (GraphTensor(output, op, name) for output in outputs if output)
