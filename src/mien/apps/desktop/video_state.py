"""A film in the worker's hands: read, looked at from any place on, played, and made into files."""

from __future__ import annotations

from bisect import bisect_right
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, NamedTuple

from mien.apps.desktop.annotated_image import fitted
from mien.apps.desktop.model_session import Bench, Choice
from mien.apps.desktop.pictures import scaled
from mien.apps.desktop.state import Ground
from mien.apps.desktop.worker import LATER, NOW, SOON, Steps, Task
from mien.errors import MienError
from mien.results import AnalyzedFrame, Pixels

if TYPE_CHECKING:
    from mien.video import VideoInfo
    from mien.video.events import Event
    from mien.video.journal import ResumableAnalysis
    from mien.video.results import PeakImages
    from mien.video.timeline import TimelineStep, TrackSummary, VideoSummary


#: Seconds between two pieces of news, and frames a second when it plays.
_PAUSE, _PLAYED = 0.2, 15.0

#: The most moments that are held for looking at the film again; of a longer film every second one stays.
_HELD = 4000


class Glimpse(NamedTuple):
    """One frame as it is shown, with boxes where they are known."""

    seconds: float
    pixels: Pixels


class Seen(NamedTuple):
    """A person as far as the film was read."""

    person: TrackSummary
    steps: tuple[TimelineStep, ...]


@dataclass(frozen=True)
class Course:
    """The film as far as it was read; ``people`` by how long they were seen."""

    start: float = 0.0
    end: float = 0.0
    frames: int = 0
    people: tuple[Seen, ...] = ()
    events: tuple[Event, ...] = ()


class Moments:
    """The moments of a film, thinned so that they never fill the memory."""

    def __init__(self) -> None:
        self._held: list[AnalyzedFrame] = []
        self._every, self._count = 1, 0

    def add(self, moment: AnalyzedFrame) -> None:
        if self._count % self._every == 0:
            self._held.append(replace(moment, pixels=None))
        self._count += 1
        if len(self._held) > _HELD:
            self._held, self._every = self._held[::2], self._every * 2

    def at(self, seconds: float) -> AnalyzedFrame | None:
        """The last moment that had begun then."""
        place = bisect_right(self._held, seconds + 1e-3, key=lambda moment: moment.seconds)
        return self._held[place - 1] if place else None


class Reel:
    """One film that is open, and what was read of it. ``folder`` is private, and goes with the window."""

    def __init__(self, path: Path, folder: Path, fps: float, number: int) -> None:
        self.path, self.fps = path, fps
        self.journal = folder / f"{number}.journal"
        self.moments = Moments()
        self.about: VideoInfo | None = None
        self.record: VideoSummary | None = None
        self.peaks: PeakImages | None = None
        self.unfinished: str | None = None
        #: The room for a frame on the screen; the window says so.
        self.room = (960, 540)
        self._stamp: tuple[int, int] | None = None
        self.labels: tuple[str, ...] = ()
        self.detector = self.model = ""

    def reading(self, bench: Bench, choice: Choice) -> Steps:
        """Read it from the beginning to the end; news are its facts, glimpses, and its course."""
        from mien import video
        from mien.concurrency import one_core_each
        from mien.video.results import PeakImages
        from mien.video.timeline import VideoSummary

        self._stamp = _stamp(self.path)
        with closing(video.open_video(self.path)) as film:
            self.about = film.about
        yield self.about
        going = self._going(bench, choice)
        record = self.record = VideoSummary(going.judge)
        self.peaks, due = PeakImages(), 0.0
        # One of several that want the cores; whoever sits before the window comes first.
        with one_core_each, closing(going.moments(pixels=True)) as moments:
            for told in record.follow(moments):
                self.peaks.add(told.moment, record)
                self.moments.add(told.moment)
                yield self._glimpse(told.moment) if (late := monotonic() >= due) else None
                if late:
                    yield course_of(record)
                    due = monotonic() + _PAUSE
        record.finish()
        self.unfinished = going.complaint
        yield course_of(record)

    @property
    def unchanged(self) -> bool:
        """Is the film's file the one that was read?"""
        return _stamp(self.path) == self._stamp

    def stopped(self) -> Course:
        """It was left in the middle: what was read until then."""
        if self.record is None:
            return Course()
        for told in self.record.rest():
            self.moments.add(told.moment)
        self.record.finish()
        self.unfinished = "Stopped before the end; this holds the film up to there."
        return course_of(self.record)

    def forgetting(self) -> Steps:
        """Nobody looks at it any more: what was written down of it goes."""
        self.journal.unlink(missing_ok=True)
        yield None

    def looking(self, seconds: float) -> Steps:
        """The frame that is shown then, with what was read of it."""
        from mien import video
        from mien.video import FrameSelection as Frames

        last = self.about.seconds - 0.05 if self.about and self.about.seconds else seconds
        with closing(video.open_video(self.path)) as film:
            frame = next(film.frames(Frames(start=max(min(seconds, last), 0.0))), None)
        if frame is not None:
            yield self._shown(frame.pixels, frame.seconds)

    def playing(self, seconds: float) -> Steps:
        """From there to the end, at the film's own pace; what comes too late is left out."""
        from mien import video
        from mien.video import FrameSelection as Frames

        with closing(video.open_video(self.path)) as film:
            began = monotonic() - seconds
            for frame in film.frames(Frames(fps=_PLAYED, start=seconds)):
                late = monotonic() - began - frame.seconds
                if late > 1 / _PLAYED:
                    yield None
                    continue
                # In short pieces: others want the worker too.
                while (wait := began + frame.seconds - monotonic()) > 0:
                    sleep(min(wait, 0.03))
                    yield None
                yield self._shown(frame.pixels, frame.seconds)

    def _going(self, bench: Bench, choice: Choice) -> ResumableAnalysis:
        from mien.video.journal import AnalysisOptions, ResumableAnalysis

        engine = bench.engine(choice)
        self.labels, self.detector, self.model = engine.labels, engine.detector, engine.card.name
        return ResumableAnalysis(engine, AnalysisOptions(str(self.path), fps=self.fps), self.journal)

    def _glimpse(self, moment: AnalyzedFrame) -> Glimpse:
        assert moment.pixels is not None, "frames were asked for"
        return self._painted(moment.pixels, moment)

    def _shown(self, pixels: Pixels, seconds: float) -> Glimpse:
        moment = self.moments.at(seconds)
        return self._painted(pixels, replace(moment, seconds=seconds) if moment else None, seconds)

    def _painted(self, pixels: Pixels, moment: AnalyzedFrame | None, seconds: float = 0.0) -> Glimpse:
        from mien.draw import paint
        from mien.video.annotate import simplify_labels

        small = fitted(pixels, self.room)
        if moment is None:
            return Glimpse(seconds, small)
        return Glimpse(moment.seconds, paint(small, simplify_labels(scaled(moment.result, small.shape[1] / pixels.shape[1]))))


def course_of(record: VideoSummary) -> Course:
    """What the window needs, as values that no other thread changes."""
    timeline = record.timeline
    people = tuple(Seen(_copied(one), tuple(timeline.steps(one.number))) for one in timeline.by_presence()[:12])
    return Course(timeline.start, timeline.end, record.frames, people, tuple(record.events))


def _stamp(path: Path) -> tuple[int, int] | None:
    """What changes with a file; None where there is none."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_size, about.st_mtime_ns


def _copied(person: TrackSummary) -> TrackSummary:
    """A person as of now; the film goes on, and would go on counting in the same tables."""
    return replace(person, looks=dict(person.looks), unjudged=dict(person.unjudged))


# ==== mien.apps.desktop.filming
# The film that is open: how far it was read, where one looks at it, and whether it plays.

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
        from mien.apps.desktop.saving import KINDS, Wanted

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
