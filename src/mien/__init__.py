"""mien predicts what facial expressions look like in images and videos, and how certain the prediction is.

>>> from mien import Engine
>>> engine = Engine.load()
>>> for reading in engine.read("examples/portraits.jpg"):
...     print(reading.face.box, reading.emotions.top)

Importing mien loads no model, opens no camera and makes no network connection: the public names below are imported
when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mien._version import __version__ as __version__

__all__ = [
    "AnalyzedFrame",
    "Emotions",
    "Engine",
    "Face",
    "Failure",
    "FrameResult",
    "MienError",
    "ModelCard",
    "Reading",
    "available_models",
]

if TYPE_CHECKING:
    from mien.engine import Engine as Engine
    from mien.errors import MienError as MienError
    from mien.models import ModelCard as ModelCard
    from mien.models import available_models as available_models
    from mien.results import AnalyzedFrame as AnalyzedFrame
    from mien.results import Emotions as Emotions
    from mien.results import Face as Face
    from mien.results import Failure as Failure
    from mien.results import FrameResult as FrameResult
    from mien.results import Reading as Reading

_MODULES = {
    "Engine": "mien.engine",
    "MienError": "mien.errors",
    "ModelCard": "mien.models",
    "available_models": "mien.models",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'mien' has no attribute {name!r}")
    return getattr(import_module(_MODULES.get(name, "mien.results")), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
