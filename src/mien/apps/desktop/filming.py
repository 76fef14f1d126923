"""The film that is open: how far it was read, where one looks at it, and whether it plays."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mien.apps.desktop.films import Course, Glimpse, Reel
from mien.apps.desktop.ground import Ground
from mien.apps.desktop.worker import LATER, NOW, SOON, Task
from mien.errors import MienError

#: Frames of a second that are read, to choose from.
RATES = (5.0, 10.0, 30.0)


class Filming:
    """Rings ``film`` when it stands otherwise with it, ``course`` when more was read, ``frame`` for another frame.

    ``stage`` is none, reading, read, left (in the middle) or failed.
    """

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.stage = "none"
        self.reel: Reel | None = None
        self.error: MienError | None = None
        self.course = Course()
        self.glimpse: Glimpse | None = None
        self.fps, self.playing = 10.0, False
        #: Are faces hidden in what is saved from now on?
        self.hidden = False
        self._choice, self._room = ground.choice, (960, 540)
        self._numbers, self._folder = count(1), TemporaryDirectory(prefix="mien-", ignore_cleanup_errors=True)
        #: Where one wants to look, until that is shown.
        self._sought: float | None = None
        self._task: Task | None = None
        self._look: Task | None = None

    @property
    def seconds(self) -> float | None:
        """How long the film is; None where it does not say and was not read to its end."""
        about = self.reel.about if self.reel else None
        told = about.seconds if about else None
        if told is None and self.stage in ("read", "left"):
            return self.course.end
        return max(told, self.course.end) if told else None

    @property
    def at(self) -> float:
        """Where one looks at it."""
        return self.glimpse.seconds if self.glimpse else 0.0

    @property
    def known(self) -> bool:
        """Was enough read to make files of it?"""
        return self.stage in ("read", "left") and self.course.frames > 0

    def open(self, path: Path) -> None:
        """Read this film from its beginning."""
        self.cancel()
        if self.reel:
            # Behind whatever is still to be saved of it, and whoever cancels does not mean this.
            self._ground.worker.do(Task(self.reel.forgetting()), LATER)
        self._choice = self._ground.choice
        reel = Reel(path, Path(self._folder.name), self.fps, next(self._numbers))
        self.reel, self.stage, self.error = reel, "reading", None
        reel.room = self._room
        self.course, self.glimpse = Course(), None
        steps = reel.reading(self._ground.bench, self._choice)
        self._task = self._ground.do(
            steps,
            lambda news: self._hear(reel, news),
            urgency=LATER,
            failed=lambda error: self._fail(reel, error),
            ended=lambda: self._over(reel),
        )
        self._ground.bells.ring("film", "course", "frame")

    def again(self) -> None:
        """Read it anew, with the options of now."""
        if self.reel:
            self.open(self.reel.path)

    def cancel(self) -> None:
        """Stop reading; what was read until then stays. Stops playing too."""
        self.pause()
        if self._task and not self._task.over:
            self._task.cancel()

    def close(self) -> None:
        self._folder.cleanup()

    def fit(self, width: int, height: int) -> None:
        """There is so much room for a frame."""
        if (width, height) != self._room and min(width, height) > 8:
            self._room = width, height
            if self.reel:
                self.reel.room = self._room
                self.seek(self.at) if self.glimpse and self.stage != "reading" and not self.playing else None

    def seek(self, seconds: float) -> None:
        """Look at it there."""
        going_on = self.playing
        self._leave_frame()
        if self.reel is None or self.stage == "reading":
            return
        seconds = min(max(seconds, 0.0), self.seconds or seconds)
        if going_on:
            self._start(seconds)
            return
        self._sought = seconds
        self._look = self._ground.do(self.reel.looking(seconds), self._show, urgency=NOW)

    def play(self) -> None:
        """Play from where one looks, or from the beginning when that is the end."""
        if self.reel is None or self.stage == "reading" or self.playing:
            return
        begin = self.at if self._sought is None else self._sought
        over = self.seconds is not None and begin > self.seconds - 0.3
        self._leave_frame()
        self._start(0.0 if over else begin)

    def pause(self) -> None:
        if self.playing:
            self._leave_frame()
            self._ground.bells.ring("film")

    def save(self, kind: str, path: Path) -> None:
        from mien.apps.desktop.film_files import KINDS, Wanted

        if self.reel and self.known:
            words, _, write = KINDS[kind]
            self._ground.say(f"{words}: being written …")
            steps = write(self.reel, Wanted(path, self._ground.bench, self._choice, self.hidden))
            self._ground.do(steps, lambda place: self._ground.say(f"{words} saved as {place}"), urgency=LATER)

    def _start(self, seconds: float) -> None:
        assert self.reel is not None, "a film is open"
        self.playing = True
        self._look = task = self._ground.do(
            self.reel.playing(seconds), self._show, urgency=SOON, ended=lambda: self._played(task)
        )
        self._ground.bells.ring("film")

    def _played(self, task: Task) -> None:
        if task is self._look:
            self.playing = False
            self._ground.bells.ring("film")

    def _leave_frame(self) -> None:
        self.playing = False
        if self._look:
            self._look.cancel()
            self._look = None

    def _hear(self, reel: Reel, news: Any) -> None:
        if reel is not self.reel:
            return
        match news:
            case Glimpse():
                self._show(news)
            case Course():
                self.course = news
                self._ground.bells.ring("course")
            case _:
                self._ground.bells.ring("film")

    def _show(self, glimpse: Glimpse) -> None:
        self.glimpse, self._sought = glimpse, None
        self._ground.bells.ring("frame")

    def _fail(self, reel: Reel, error: MienError) -> None:
        if reel is self.reel:
            self.error = error

    def _over(self, reel: Reel) -> None:
        if reel is not self.reel or self._task is None:
            return
        if self.error:
            self.stage = "failed"
        elif self._task.left:
            self.course, self.stage = reel.stopped(), "left"
        else:
            self.stage = "read"
        self._ground.bells.ring("film", "course")
