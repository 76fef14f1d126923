"""Models that classify facial expressions, and the cards with their facts."""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mien.models.card import ModelCard as ModelCard
from mien.models.card import write_card as write_card

# Turns off the telemetry of ONNX Runtime, which reads this when it is imported. Set it to 0 to leave telemetry on.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from mien.models.classifier import Classifier as Classifier
    from mien.models.classifier import IntermediateOutputs as IntermediateOutputs
    from mien.models.classifier import OnnxClassifier as OnnxClassifier
    from mien.models.classifier import Outputs as Outputs
    from mien.models.classifier import load_classifier as load_classifier
    from mien.models.onnx_file import GraphTensor as GraphTensor
    from mien.models.onnx_file import list_tensors as list_tensors
    from mien.models.registry import ModelEntry as ModelEntry
    from mien.models.registry import available_models as available_models
    from mien.models.registry import cache_folder as cache_folder
    from mien.models.registry import find_model_file as find_model_file
    from mien.models.registry import list_models as list_models
    from mien.models.registry import pull_model as pull_model
    from mien.models.registry import resolve_model as resolve_model

_NAMES_BY_MODULE = {
    "classifier": ("Classifier", "IntermediateOutputs", "OnnxClassifier", "Outputs", "load_classifier"),
    "onnx_file": ("GraphTensor", "list_tensors"),
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
_MODULES = {name: module for module, names in _NAMES_BY_MODULE.items() for name in names}

__all__ = ["ModelCard", "write_card", *sorted(_MODULES)]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'mien.models' has no attribute {name!r}")
    return getattr(import_module(f"mien.models.{_MODULES[name]}"), name)
