"""Events of a training run, for callbacks that show its progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mien.errors import ExperimentError

#: The metrics of one epoch, by their column of ``history.csv``.
Row = dict[str, float]


@dataclass(frozen=True)
class StepEvent:
    """Progress inside an epoch, reported a few times a second and at its last step.

    ``epoch`` of ``epochs`` and ``step`` of ``steps`` count from 1; ``loss`` is the mean of the epoch so far,
    ``seconds`` the time of the epoch so far.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class EpochEvent:
    """A completed epoch whose state is saved: its ``row`` of metrics, and the rows of all epochs, its own the last."""

    row: Row
    history: tuple[Row, ...]


@dataclass(frozen=True)
class MessageEvent:
    """One sentence for the user: what was chosen and why, what was resumed."""

    text: str


Event = StepEvent | EpochEvent | MessageEvent
Callback = Callable[[Event], None]
#: Called after each step; True stops the training.
StopCheck = Callable[[], bool]


class TrainingStopped(ExperimentError):
    """The stop check ended the run after ``epochs`` completed epochs and ``steps`` steps of the next, all saved."""

    def __init__(self, epochs: int, steps: int = 0) -> None:
        happened = f"The training was stopped after {epochs} epochs and {steps:,} steps"
        super().__init__(happened, "", "The same command resumes it")
        self.epochs, self.steps = epochs, steps
