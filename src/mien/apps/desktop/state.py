"""Who wants to hear that something changed, by topic."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from mien.apps.desktop import settings
from mien.apps.desktop.model_session import Bench, Choice, Load
from mien.apps.desktop.settings import Settings
from mien.apps.desktop.worker import LATER, NOW, Steps, Task, Worker
from mien.errors import MienError
from mien.models import ModelCard


class Bells:
    """Views listen; the state rings. What is heard of is looked up where it lives, so a bell carries nothing."""

    def __init__(self) -> None:
        self._heard: dict[str, list[Callable[[], None]]] = defaultdict(list)

    def hear(self, topic: str, call: Callable[[], None]) -> None:
        self._heard[topic].append(call)

    def ring(self, *topics: str) -> None:
        for topic in topics:
            for call in tuple(self._heard[topic]):
                call()

    def silence(self) -> None:
        """Nobody listens any more: the views are made anew."""
        self._heard.clear()


# ==== mien.apps.desktop.ground
# What all parts of the desktop stand on: the worker and its engine, who listens, and what the status line says.


class Status(NamedTuple):
    """One line for the person; ``error`` is one that something did not work."""

    words: str = ""
    error: bool = False


class Ground:
    """State that no page owns. ``choice`` is who reads; ``card`` what its model says of itself, once it is loaded."""

    def __init__(self, load: Load, remembered: Settings | None = None) -> None:
        self.bells, self.worker, self.bench = Bells(), Worker(), Bench(load)
        self.settings = remembered or Settings()
        self._forgetful = remembered is None
        self.choice, self.status = Choice(), Status()
        self.card: ModelCard | None = None
        self.detector = ""
        self._tasks: set[Task] = set()

    @property
    def labels(self) -> tuple[str, ...]:
        return self.card.labels if self.card else ()

    @property
    def busy(self) -> bool:
        """Is there something that can be cancelled?"""
        return any(not task.left for task in self._tasks)

    def do(
        self,
        steps: Steps,
        told: Callable[[Any], None] | None = None,
        *,
        urgency: int = NOW,
        failed: Callable[[MienError], None] | None = None,
        ended: Callable[[], None] | None = None,
    ) -> Task:
        """Work for the worker; what fails is told in the status line unless ``failed`` takes it.

        What is told stays cancellable by :meth:`cancel` when it is for later.
        """

        def over() -> None:
            self._tasks.discard(task)
            if ended:
                ended()
            self.bells.ring("busy")

        task = Task(steps, told, failed or self.problem, over)
        if urgency == LATER:
            self._tasks.add(task)
            self.bells.ring("busy")
        return self.worker.do(task, urgency)

    def cancel(self) -> None:
        """Leave what was to be done later; what was read until then stays."""
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        self.bells.ring("busy")

    def say(self, words: str) -> None:
        self.status = Status(words)
        self.bells.ring("status")

    def problem(self, error: MienError) -> None:
        self.status = Status(str(error), error=True)
        self.bells.ring("status")

    def choose(self, choice: Choice) -> None:
        """Another model or detector. Nothing changes before it is known to load."""

        def told(loaded: tuple[ModelCard, str]) -> None:
            before, self.choice = self.choice, choice
            self.card, self.detector = loaded
            if before == choice:
                self.bells.ring("card")
            else:
                self.bells.ring("card", "choice")

        def failed(error: MienError) -> None:
            self.problem(error)
            self.bells.ring("card")  # the pickers show again what is in force

        self.do(_loading(self.bench, choice), told, failed=failed)

    def change(self, **settings_changed: Any) -> None:
        """Another look, remembered for the next start."""
        self.settings = replace(self.settings, **settings_changed)
        self.remember()
        self.bells.ring("settings")

    def remember(self) -> None:
        if not self._forgetful:
            settings.save(self.settings)

    def close(self) -> None:
        self.bells.silence()
        self.worker.close()


def _loading(bench: Bench, choice: Choice) -> Steps:
    # Everything heavy is imported here, behind a window that is there already.
    engine = bench.engine(choice)
    yield engine.card, engine.detector
