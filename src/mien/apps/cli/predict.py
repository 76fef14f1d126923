"""``--annotate``: painted copies, in one file or in a folder that mirrors where the pictures were."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeAlias

import click

from mien import images
from mien.apps.cli.console import ProgressBar, escape_controls, is_terminal, print_note, silence_native_stderr
from mien.apps.cli.options import (
    DETECTOR_OPTION,
    LABELS_OPTION,
    MODEL_OR_RUN_OPTION,
    SCALE_OPTION,
    LoadEngine,
    is_keras_file,
    resolve_model,
)
from mien.apps.cli.results import format_failure, open_row_writer, select_printer, suggest_yunet
from mien.apps.cli.sources import (
    STDIN,
    STDOUT,
    InputImage,
    contains_sources,
    count_inputs,
    denotes_file,
    find_inputs,
    is_same_file,
    is_url,
    resolve_links,
)
from mien.draw import paint
from mien.errors import DetectorError, MienError, ModelMissing, OutputError
from mien.results import Failure, FrameResult


class CopyWriter:
    """Writes the copies. The originals are never written to, whatever the folder is called."""

    def __init__(self, target: str, max_pixels: int | None = None) -> None:
        self.target = Path(target)
        self.one_file = denotes_file(target)
        self._max_pixels = max_pixels
        self._taken: set[str] = set()

    def write(self, item: InputImage, result: FrameResult) -> Path:
        assert not isinstance(item.source, Failure), "a failure has no result"
        place = self.target if self.one_file else self.target / self._free(_writable(item.place))
        _spare_the_original(item.source, place)
        # Decoded a second time: the engine lets pictures go, so that a long run stays small.
        pixels = images.load_image(item.source, max_pixels=self._max_pixels).pixels
        if not self.one_file:
            _make_folder(place.parent)
        images.save_image(paint(pixels, result), place)
        return place

    def _free(self, wanted: Path) -> Path:
        """``x.gif.png`` may be the copy of ``x.gif`` and a picture itself: who comes second gets a number."""
        place, number = wanted, 1
        while str(place).lower() in self._taken:
            number += 1
            place = wanted.with_stem(f"{wanted.stem}-{number}")
        self._taken.add(str(place).lower())
        return place


def _writable(place: Path) -> Path:
    """The name of a copy; a picture in a format we do not write gets ``.png`` behind its name."""
    return place if place.suffix.lower() in images.WRITABLE else place.with_name(place.name + ".png")


def _spare_the_original(source: Path | bytes, place: Path) -> None:
    if isinstance(source, Path) and is_same_file(place, source):
        raise OutputError(
            f"'{place}' is the picture itself", "A painted copy needs a place of its own", "Name another file or folder"
        )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"The folder '{folder}' could not be made: {error.strerror or error}",
            "Painted copies go there",
            "Name another folder with --annotate",
        ) from error


# ==== mien.apps.cli.reading
# The run of ``mien predict``, from the first picture to the exit status.

Result: TypeAlias = FrameResult | Failure


@dataclass
class PredictionCounts:
    """What came of the pictures so far."""

    pictures: int = 0
    faces: int = 0
    faceless: int = 0
    failed: int = 0
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def add(self, result: Result) -> None:
        self.pictures += 1
        if isinstance(result, Failure):
            self.failed += 1
        else:
            self.faces += len(result)
            self.faceless += not len(result)

    def status(self, require_face: bool) -> int:
        return int(self.failed > 0 or (require_face and self.faceless > 0))

    def __str__(self) -> str:
        parts = [f"{self.pictures:,} pictures", f"{self.faces:,} face{'s' * (self.faces != 1)}"]
        parts += [f"{self.faceless:,} without a face"] * bool(self.faceless)
        parts += [f"{self.failed:,} failed"] * bool(self.failed)
        return ", ".join([*parts, f"{self.seconds:.1f} s"])


def run(request: PredictOptions, engine: Reader) -> int:
    """Read everything that was asked for, show it as it comes, and return the exit status."""
    copies = _copies(request)
    pictures = _pictures(request, copies)
    show = select_printer(request.as_json, quiet=request.csv == STDOUT)
    tally = PredictionCounts()
    with ExitStack() as stack:
        stack.enter_context(silence_native_stderr())
        write_rows = stack.enter_context(open_row_writer(request.csv, engine.labels))
        bar = stack.enter_context(ProgressBar(count_inputs(request.sources) if is_terminal(sys.stderr) else None))
        for item, result in stack.enter_context(closing(_in_order(engine, pictures, request))):
            tally.add(result)
            bar.clear()
            show(result)
            write_rows(result)
            if copies and isinstance(result, FrameResult):
                tally.failed += not _copied(copies, item, result)
            bar.update(tally.pictures)
    _sum_up(request, engine, tally)
    return tally.status(request.require_face)


def _copies(request: PredictOptions) -> CopyWriter | None:
    if request.annotate is None:
        return None
    pass  # painting is imported by those who paint

    return CopyWriter(request.annotate, request.max_pixels)


def _pictures(request: PredictOptions, copies: CopyWriter | None) -> Iterator[InputImage]:
    if copies is None:
        return find_inputs(request.sources)
    if not copies.one_file:
        return find_inputs(request.sources, leave_out=resolve_links(copies.target))
    first = list(islice(found := find_inputs(request.sources), 2))
    if len(first) > 1:
        raise click.UsageError(
            f"'{request.annotate}' is one file, and there are several pictures. "
            "Name a folder for the copies, such as --annotate painted."
        )
    return chain(first, found)


def _in_order(
    engine: Reader, pictures: Iterator[InputImage], request: PredictOptions
) -> Generator[tuple[InputImage, Result], None, None]:
    """Each picture with what came of it. The engine looks a few pictures ahead; so many wait here, and no more."""
    waiting: deque[InputImage] = deque()

    def sources() -> Iterator[Path | bytes | Failure]:
        for item in pictures:
            waiting.append(item)
            yield item.source

    results = engine.read_many(sources(), min_face=request.min_face, max_pixels=request.max_pixels, jobs=request.jobs)
    for result in results:
        item = waiting.popleft()
        yield item, replace(result, source=item.name)


def _copied(copies: CopyWriter, item: InputImage, result: FrameResult) -> bool:
    """A copy that fails takes nothing with it: the reading has been shown, and the run goes on."""
    try:
        copies.write(item, result)
    except MienError as error:
        print_note(format_failure(Failure(item.name, error)))
        return False
    return True


def _sum_up(request: PredictOptions, engine: Reader, tally: PredictionCounts) -> None:
    """The last words, for a person at a terminal; a pipe has its results and needs no more."""
    if request.require_face and tally.faceless:
        print_note(
            f"mien: {tally.faceless:,} of {tally.pictures:,} pictures without a face, and --require-face was given."
        )
    if request.as_json or not is_terminal(sys.stderr) or not is_terminal(sys.stdout):
        return
    if tally.pictures > 1:
        print_note(str(tally))
    if request.annotate:
        print_note(f"Painted: {escape_controls(request.annotate)}")
    if request.csv:
        print_note(f"Table: {escape_controls(request.csv)}")
    if request.detector == "auto" and engine.detector == "haar":
        suggest_yunet(tally.seconds)


# ==== mien.apps.cli.predict
# ``mien predict``: read the expressions in pictures.

EPILOG = """\b
Examples:
  mien predict photo.jpg
  mien predict photos --csv faces.csv
  mien predict "photos/*.jpg" --json
  mien predict portraits.jpg --annotate painted.jpg
  mien predict photos --annotate painted --jobs 2
  mien predict photo.jpg --model emotion_model.h5
  mien predict group.jpg --min-face 24 --detector haar
  mien predict photos --require-face || echo "look again"
  cat photo.jpg | mien predict - --json

\b
Exit status: 0, also when no face was found; 1 if a file failed, or if --require-face is given
and a picture has no face; 2 for wrong usage, an unknown detector or an unknown model.
"""


@dataclass(frozen=True)
class PredictOptions:
    """The command line of ``mien predict``, as it was given."""

    sources: tuple[str, ...]
    as_json: bool
    csv: str | None
    annotate: str | None
    detector: str
    model: str
    labels: str | None
    scale: str | None
    min_face: int | None
    require_face: bool
    jobs: int | None
    allow_url: bool
    max_pixels: int | None


@click.command(epilog=EPILOG)
@click.argument("sources", nargs=-1, required=True, metavar="SRC...")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for each picture.")
@click.option("--csv", metavar="FILE", help="Write a table with one row for each face; - is stdout.")
@click.option("--annotate", metavar="PATH", help="Write painted copies: a file for one picture, a folder for many.")
@DETECTOR_OPTION
@MODEL_OR_RUN_OPTION
@LABELS_OPTION
@SCALE_OPTION
@click.option("--min-face", type=click.IntRange(min=1), metavar="N", help="Smallest face to look for, in pixels.")
@click.option("--require-face", is_flag=True, help="Exit with 1 if any picture has no face.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Pictures to work on at the same time.")
@click.option("--allow-url", is_flag=True, help="Let SRC be an http(s) address, and fetch it.")
@click.option("--max-pixels", type=click.IntRange(min=1), metavar="N", help="Refuse larger pictures before decoding.")
@click.pass_context
def predict(context: click.Context, /, **options: Any) -> None:
    """Read the expressions in pictures.

    SRC is a picture, a folder (searched through), a glob, - for a picture on stdin, or with
    --allow-url an address. Every face gets a line: what its expression looks like, how its shares
    are spread, and what ten people would say.
    """
    request = PredictOptions(**options)
    _check(request)
    # Imported here: reading needs NumPy, OpenCV and ONNX Runtime, and --help does not.
    pass

    context.exit(run(request, _engine(context, request)))


def _check(request: PredictOptions) -> None:
    """Refuse what cannot be meant, before anything is loaded or written."""
    if (request.labels or request.scale) and not is_keras_file(request.model):
        raise click.UsageError("--labels and --scale are for Keras files; an .onnx file says both itself.")
    address = next((word for word in request.sources if is_url(word)), None)
    if address and not request.allow_url:
        raise click.UsageError(f"'{address}' is an address. Add --allow-url to have it fetched.")
    if STDIN in request.sources and is_terminal(sys.stdin):
        raise click.UsageError("'-' reads a picture from stdin. Give it one: mien predict - < photo.jpg")
    if request.as_json and request.csv == STDOUT:
        raise click.UsageError("--json and --csv - both want stdout. Give --csv a file.")
    if request.csv and _names_a_picture(request.csv):  # such as --csv *.jpg
        raise click.UsageError(f"--csv would write its table over the picture '{request.csv}'. Name a .csv file.")
    if request.csv and any(is_same_file(request.csv, word) for word in request.sources):
        raise click.UsageError(f"--csv would write its table over the source '{request.csv}'. Name a .csv file.")
    if (
        request.annotate
        and not denotes_file(request.annotate)
        and contains_sources(Path(request.annotate), request.sources)
    ):
        raise click.UsageError(
            f"the originals lie in '{request.annotate}', and copies never lie among them. Try --annotate painted."
        )


def _names_a_picture(target: str) -> bool:
    from mien.images import SUFFIXES

    return Path(target).suffix.lower() in SUFFIXES


def _engine(context: click.Context, request: PredictOptions) -> Reader:
    load: LoadEngine = context.obj
    try:
        model = resolve_model(request.model, request.labels, request.scale)
        return load(model=model, detector=request.detector)
    except (DetectorError, ModelMissing) as error:
        raise click.UsageError(escape_controls(str(error)), context) from error
