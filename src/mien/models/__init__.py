"""WHAT does a face show? Models, and the cards they carry."""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mien.models.card import ModelCard as ModelCard
from mien.models.card import write_card as write_card

# ONNX Runtime tells its makers that it is used, unless this says no before it is first imported. Who wants that says 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from mien.models.classifier import Classifier as Classifier
    from mien.models.classifier import IntermediateOutputs as IntermediateOutputs
    from mien.models.classifier import OnnxClassifier as OnnxClassifier
    from mien.models.classifier import Outputs as Outputs
    from mien.models.classifier import load_classifier as load_classifier
    from mien.models.classifier import open_intermediate_outputs as open_intermediate_outputs
    from mien.models.onnx_file import GraphTensor as GraphTensor
    from mien.models.onnx_file import list_tensors as list_tensors
    from mien.models.registry import ModelEntry as ModelEntry
    from mien.models.registry import available_models as available_models
    from mien.models.registry import cache_folder as cache_folder
    from mien.models.registry import find_model_file as find_model_file
    from mien.models.registry import list_models as list_models
    from mien.models.registry import pull_model as pull_model
    from mien.models.registry import resolve_model as resolve_model

_MODULES = {
    "onnx_file": ("GraphTensor", "list_tensors"),
    "classifier": (
        "Classifier",
        "OnnxClassifier",
        "Outputs",
        "IntermediateOutputs",
        "load_classifier",
        "open_intermediate_outputs",
    ),
    "registry": (
        "ModelEntry",
        "available_models",
        "cache_folder",
        "find_model_file",
        "list_models",
        "pull_model",
        "resolve_model",
    ),
}
_HOME_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = ["ModelCard", "write_card", *sorted(_HOME_OF)]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'mien.models' has no attribute {name!r}")
    return getattr(import_module(f"mien.models.{_HOME_OF[name]}"), name)
