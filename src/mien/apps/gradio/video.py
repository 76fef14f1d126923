"""What people of a film looked like over its time: as much as is drawn, however long the film is."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Self

import gradio as gr
import pandas as pd

from mien import text
from mien.apps.gradio import results
from mien.apps.gradio.engines import Engines
from mien.apps.gradio.errors import convert_errors, make_bug_error, make_user_error
from mien.apps.gradio.uploads import MAX_FILM_BYTES, MAX_FILM_SECONDS, MB, SentFile, find_sent_file
from mien.engine import Engine
from mien.errors import MienError
from mien.text import format_time
from mien.video.results import VideoRequest, VideoResults, save_video_results
from mien.video.timeline import SmoothedFrame

#: So many points of a person are drawn, and so many of everybody are held at most.
PLOTTED_POINTS, _HELD = 400, 20_000


class TrackScores:
    """A line of points for each person. What would not be drawn is left out while the film is read."""

    def __init__(self) -> None:
        self._lines: dict[int, _Line] = {}
        self._held = 0

    def add(self, person: int, seconds: float, shares: Mapping[str, float]) -> None:
        line = self._lines.setdefault(person, _Line())
        before = len(line.held)
        line.add(seconds, shares)
        if len(line.held) >= 2 * PLOTTED_POINTS:
            line.thin()
        self._held += len(line.held) - before
        if self._held > _HELD:
            self._thin()

    def __len__(self) -> int:
        """How many points are held."""
        return self._held

    def of(self, person: int | None) -> Iterator[tuple[float, dict[str, float]]]:
        """One person's points in order, about as many as are drawn; none for nobody."""
        held = self._lines[person].held if person in self._lines else []
        return ((seconds, dict(shares)) for seconds, shares in held[:: max(-(-len(held) // PLOTTED_POINTS), 1)])

    def _thin(self) -> None:
        for line in self._lines.values():
            line.thin()
        self._held = sum(len(line.held) for line in self._lines.values())


class _Line:
    def __init__(self) -> None:
        self.held: list[tuple[float, tuple[tuple[str, float], ...]]] = []
        self._every = 1
        self._count = 0

    def add(self, seconds: float, shares: Mapping[str, float]) -> None:
        if self._count % self._every == 0:
            self.held.append((seconds, tuple(shares.items())))
        self._count += 1

    def thin(self) -> None:
        """Every second point goes, and comes no more."""
        self.held, self._every = self.held[::2], 2 * self._every


# ==== mien.apps.gradio.video
# The tab for films.

_EMPTY = f"""Whose expression looks like what, and when: people keep their number, and what lasts is an event.

Up to {MAX_FILM_BYTES // MB} MB; of long films the first {MAX_FILM_SECONDS / 60:.0f} minutes are read.
What is made of a film is removed after 15 minutes."""


class GradioVideoJob:
    """One film, read in a thread of its own, that can be stopped in the middle. To be used in a ``with`` block.

    What came of it lies in the folder of the component ``keeper``, which has it removed in time, also where nobody
    waits for it any more.
    """

    def __init__(self, engine: Engine, film: SentFile, fps: float, hidden: bool, keeper: Any) -> None:
        source = film.film()
        Path(keeper.GRADIO_CACHE).mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="film-", dir=keeper.GRADIO_CACHE))
        self.left = threading.Event()
        self.lines = TrackScores()
        self.gathered: VideoResults | None = None
        self.error: BaseException | None = None
        self._facts: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._engine, self._keeper = engine, keeper
        self._order = VideoRequest(source, film.name, self.folder, fps, MAX_FILM_SECONDS, hidden)
        self._thread = threading.Thread(target=self._run, name="mien-film", daemon=True)
        self._thread.start()

    def news(self) -> Iterator[dict[str, Any]]:
        """How far it is, each time that changes, until it ends."""
        while self._thread.is_alive() or not self._facts.empty():
            with suppress(Empty):
                yield self._facts.get(timeout=0.2)
        if isinstance(self.error, MienError):
            raise _of_film(self.error, self._order)
        if self.error is not None:
            raise make_bug_error(self.error) from self.error

    @property
    def files(self) -> dict[str, Path]:
        """What came of it, by name."""
        return {name: self.folder / name for name in (self.gathered.results if self.gathered else ())}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it, wherever it is: nobody waits any more."""
        self.left.set()
        self._thread.join()
        self._keeper.temp_files.update(map(str, self.files.values()))
        if self.gathered is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self) -> None:
        try:
            self.gathered = save_video_results(
                self._engine, self._order, left=self.left.is_set, tell=self._facts.put, see=self._seen
            )
        except BaseException as error:  # noqa: BLE001 - it is raised again where somebody listens
            self.error = error

    def _seen(self, told_: SmoothedFrame) -> None:
        for reading in told_.moment:
            if reading.track is not None and reading.quality.ok:
                self.lines.add(reading.track, told_.moment.seconds, dict(reading.emotions.scores))


class VideoTab:
    """Made inside a ``gr.Tab``."""

    def __init__(self, engines: Engines, model: Any, queue: dict[str, Any]) -> None:
        self._engines = engines
        self._readings: dict[str, GradioVideoJob] = {}
        labels = engines.get().labels
        with gr.Row():
            with gr.Column(scale=5, min_width=320):
                self._film = gr.Video(sources=["upload"], label="Film", height=320, buttons=[], elem_id="video-input")
                fps = gr.Slider(1, 25, 10, step=1, label="Frames read of each second")
                hidden = gr.Checkbox(False, label="Hide the faces in what is made of it")
                with gr.Row():
                    begin = gr.Button("Read the film", variant="primary", elem_id="video-begin")
                    stop = gr.Button("Stop", visible=False, elem_id="video-stop")
            with gr.Column(scale=6, min_width=320):
                self._said = gr.Markdown(_EMPTY, elem_classes="said", elem_id="video-said")
                painted = gr.Video(label="What was read", visible=False, buttons=["download"], elem_id="video-seen")
        lines = gr.State(None, time_to_live=900)
        with gr.Column(visible=False) as found:
            person = gr.Radio([], label="Person", elem_id="video-person")
            plot = results.create_timeline(labels, "What their expression looked like", "video-plot", height=330)
            gr.HTML(results.render_legend(results.label_colours(labels)), padding=False)
            events = _events()
            files = gr.Files(label="Report, tables, subtitles and the film", interactive=False, elem_id="video-files")
        begun = gr.on(
            [begin.click],
            self._read,
            [self._film, fps, hidden, model],
            [self._said, begin, stop, painted, found, lines, person, plot, events, files],
            preprocess=False,
            api_visibility="private",
            show_progress="minimal",
            show_progress_on=self._said,
            **queue,
        )
        # Whatever went wrong: the next film can be read.
        begun.failure(
            lambda: [_EMPTY, *_ready()], outputs=[self._said, begin, stop], api_visibility="private", queue=False
        )
        stop.click(self._stop, queue=False, api_visibility="private")
        person.input(_shares, [lines, person], plot, queue=False, api_visibility="private", show_progress="hidden")

    def _read(self, payload: Any, fps: float, hidden: bool, model: str, request: gr.Request) -> Iterator[list[Any]]:
        film, nothing = find_sent_file(payload), [gr.skip()] * 5
        if film is None:
            raise make_user_error("There is no film yet. Drop one above, or choose it.")
        buttons = [gr.Button(visible=False), gr.Button(visible=True)]
        with (
            convert_errors(),
            GradioVideoJob(self._engines.get(model), film, float(fps), bool(hidden), self._film) as reading,
        ):
            self._readings[str(request.session_hash)] = reading
            try:
                yield ["The film is opened …", *buttons, gr.Video(visible=False), gr.Column(visible=False), *nothing]
                for facts in reading.news():
                    yield [progress(facts), *[gr.skip()] * 9]
            finally:
                self._readings.pop(str(request.session_hash), None)
        yield self._result(reading)

    def _result(self, reading: GradioVideoJob) -> list[Any]:
        if reading.gathered is None:
            return ["Stopped. Nothing of the film is kept.", *_ready(), *[gr.skip()] * 7]
        facts, made = reading.gathered.facts, reading.files
        people = [one["person"] for one in facts["found"]["people"]]
        first = people[0] if people else None
        chooser = gr.Radio([(f"Person {one}", one) for one in people], value=first, visible=len(people) > 1)
        film = gr.Video(str(made["film.webm"]) if "film.webm" in made else None, visible="film.webm" in made)
        rows = [_row(event) for event in facts["found"]["events"]]
        kept = [gr.Column(visible=True), reading.lines, chooser, _shares(reading.lines, first), rows]
        return [_summary(facts), *_ready(), film, *kept, [str(path) for path in made.values()]]

    def _stop(self, request: gr.Request) -> None:
        if reading := self._readings.get(str(request.session_hash)):
            reading.left.set()


def _events() -> Any:
    return gr.Dataframe(
        headers=["person", "looks", "from", "to", "peak"], interactive=False, label="Events",
        elem_id="video-events", buttons=["fullscreen", "copy"],
    )  # fmt: skip


def _of_film(error: MienError, order: VideoRequest) -> MienError:
    """The failure with the name that the film had where it came from, not with this server's."""
    beats = (error.happened, error.expected, error.remedy)
    return type(error)(*(beat.replace(str(order.film), order.name) for beat in beats))


def progress(facts: dict[str, Any]) -> str:
    """How far it is, as a sentence."""
    of = f" of {format_time(facts['of'])}" if facts.get("of") else ""
    people = facts["people"]
    who = "nobody yet" if not people else "one person" if people == 1 else f"{people} people"
    return f"### Read up to {format_time(facts['seconds'])}{of}\n\n{facts['frames']} frames, {who}."


def _ready() -> list[Any]:
    return [gr.Button(visible=True), gr.Button(visible=False)]


def _summary(facts: dict[str, Any]) -> str:
    found = facts["found"]
    if not found["people"]:
        return f"### {text.NO_FACE}\n\n{text.NO_FACE_HELP}"
    lines = [f"### {format_time(found['end'] - found['start'])} read, {_people(len(found['people']))}"]
    for one in found["people"]:
        parts = ", ".join(
            f"{text.describe_label(label)} {text.format_percent(part)}"
            for label, part in list(one["looks"].items())[:3]
        )
        lines.append(f"- Person {one['person']}: {f'{parts} of the time' if parts else 'never clear enough to judge'}")
    if facts.get("complaint"):
        lines.append(f"\n**{facts['complaint']}**")
    return "\n".join(lines)


def _people(count: int) -> str:
    return "one person" if count == 1 else f"{count} people"


def _row(event: dict[str, Any]) -> list[Any]:
    looked = text.describe_label(event["label"]).removeprefix("looks ")
    return [
        event["person"],
        looked,
        format_time(event["start"]),
        format_time(event["end"]),
        text.format_percent(event["peak"]),
    ]


def _shares(lines: TrackScores | None, person: int | None) -> pd.DataFrame:
    """One person's shares over the film."""
    own = lines.of(person) if lines else ()
    rows = [(round(at, 2), label, share) for at, shares in own for label, share in shares.items()]
    return pd.DataFrame(rows, columns=["seconds", "expression", "share"])
