"""What a training run tells while it runs, as frozen values: whoever watches decides what to draw of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mien.errors import LabError

Row = dict[str, float]


@dataclass(frozen=True)
class StepEvent:
    """A moment inside an epoch, told a few times a second and at its last step.

    ``epoch`` of ``epochs`` and ``step`` of ``steps`` count from 1; ``loss`` is the mean of the epoch so far, ``rate``
    the learning rate of this step, ``seconds`` what the epoch has taken so far.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    rate: float
    seconds: float


@dataclass(frozen=True)
class EpochEvent:
    """A whole epoch whose state is on disk: its ``row`` of figures, and the rows of all epochs with it at the end."""

    row: Row
    history: tuple[Row, ...]


@dataclass(frozen=True)
class MessageEvent:
    """One sentence worth reading: what was chosen and why, what was taken up again."""

    text: str


Event = StepEvent | EpochEvent | MessageEvent
Callback = Callable[[Event], None]
StopCheck = Callable[[], bool]


class TrainingStopped(LabError):
    """Somebody asked the run to end. ``epochs`` whole ones and ``steps`` of the next are done.

    Everything up to there is on disk, and the same call goes on from there.
    """

    def __init__(self, epochs: int, steps: int = 0) -> None:
        done = f"{epochs} whole epochs and {steps:,} steps"
        super().__init__(f"The training was stopped after {done}", "", "The same command goes on there")
        self.epochs, self.steps = epochs, steps
