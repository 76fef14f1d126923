"""The seam between commands and engine: what a command needs of an engine, and how it gets one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mien.apps.cli.options import readable

if TYPE_CHECKING:  # mien.results brings numpy, which `mien --help` does not wait for
    from mien.results import Failure, FrameResult, Pixels


class Reader(Protocol):
    """What ``mien predict`` asks of an engine; :class:`mien.Engine` is the real one."""

    @property
    def labels(self) -> tuple[str, ...]: ...

    @property
    def detector(self) -> str: ...

    def read(self, source: Pixels) -> FrameResult: ...

    def read_many(
        self,
        sources: Iterable[Path | bytes | Failure],
        *,
        min_face: int | None = None,
        max_pixels: int | None = None,
        jobs: int | None = None,
    ) -> Iterator[FrameResult | Failure]: ...


class LoadEngine(Protocol):
    def __call__(self, *, model: str, detector: str) -> Reader: ...


def load_engine(*, model: str, detector: str) -> Reader:
    """The real engine. It is imported here, so that commands that read nothing start without it.

    A Keras file becomes ONNX first: the engine itself knows nothing of Keras.
    """
    from mien.engine import Engine

    return Engine.load(model=readable(model), detector=detector)
