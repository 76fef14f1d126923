"""What the worker works with: the engine that was chosen, loaded once, and the full pixels of the picture in hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from mien.results import Pixels

if TYPE_CHECKING:
    from mien.engine import Engine
    from mien.images import Source


class Choice(NamedTuple):
    """Who reads, and who finds the faces."""

    model: str = "base"
    detector: str = "auto"


class Load(Protocol):
    """How an engine is made: the seam where tests put theirs."""

    def __call__(self, *, model: str, detector: str) -> Engine: ...


class Bench:
    """For the worker's thread alone."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._choice: Choice | None = None
        self._engine: Engine | None = None
        self._held: tuple[int, Pixels] | None = None

    def engine(self, choice: Choice) -> Engine:
        if self._engine is None or choice != self._choice:
            self._engine = self._load(model=choice.model, detector=choice.detector)
            self._choice = choice
        return self._engine

    def pixels(self, number: int, source: Source) -> Pixels:
        """The picture with this number, opened anew unless it is the one in hand."""
        if self._held is None or self._held[0] != number:
            from mien import images

            self._held = None  # two large pictures at once are one too many
            self._held = number, images.load_image(source).pixels
        return self._held[1]
