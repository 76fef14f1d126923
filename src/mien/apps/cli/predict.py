"""``mien predict``: read the expressions in images."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.apps.cli.console import ProgressBar, escape_controls, is_terminal, print_note, silence_native_stderr
from mien.apps.cli.options import (
    DETECTOR_OPTION,
    LABELS_OPTION,
    MODEL_OR_RUN_OPTION,
    SCALE_OPTION,
    is_keras_file,
    open_engine,
    reject_keras_options,
    suggest_yunet,
)
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
from mien.errors import MienError, OutputError

if TYPE_CHECKING:  # what reads images imports NumPy, OpenCV and ONNX Runtime, which `--help` does without
    from mien.engine import Engine
    from mien.results import Failure, FrameResult

EPILOG = """\b
Examples:
  mien predict photo.jpg
  mien predict photos --csv faces.csv
  mien predict "photos/*.jpg" --json
  mien predict portraits.jpg --annotate annotated.jpg
  mien predict photos --annotate annotated --jobs 2
  mien predict photo.jpg --model emotion_model.h5
  mien predict group.jpg --min-face 24 --detector haar
  mien predict photos --require-face || echo "an image without a face"
  cat photo.jpg | mien predict - --json

\b
Exit status: 0, also when no face was found; 1 if a file failed, or if --require-face is given
and an image has no face; 2 for wrong usage, an unknown detector or an unknown model.
"""


@dataclass(frozen=True)
class PredictOptions:
    """The arguments and options of ``mien predict``."""

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
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for each image.")
@click.option("--csv", metavar="FILE", help="Write a table with one row for each face; - is stdout.")
@click.option("--annotate", metavar="PATH", help="Write annotated copies: a file for one image, a folder for several.")
@DETECTOR_OPTION
@MODEL_OR_RUN_OPTION
@LABELS_OPTION
@SCALE_OPTION
@click.option("--min-face", type=click.IntRange(min=1), metavar="N", help="Smallest face to detect, in pixels.")
@click.option("--require-face", is_flag=True, help="Exit with 1 if any image has no face.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Number of images to read in parallel.")
@click.option("--allow-url", is_flag=True, help="Allow http(s) URLs as SRC, and download them.")
@click.option("--max-pixels", type=click.IntRange(min=1), metavar="N", help="Refuse larger images before decoding.")
@click.pass_context
def predict(context: click.Context, /, **arguments: Any) -> None:
    """Read the expressions in images.

    SRC is an image, a folder (searched recursively), a glob, - for an image on stdin, or with
    --allow-url a URL. Every face gets a line: what its expression looks like, the probability of
    each expression, and how annotators would be predicted to vote.
    """
    options = PredictOptions(**arguments)
    _check_options(context, options)
    engine = open_engine(context, options.model, options.detector, options.labels, options.scale)
    context.exit(run(options, engine))


def _check_options(context: click.Context, options: PredictOptions) -> None:
    """Refuse options that contradict each other, before anything is loaded or written."""
    if not is_keras_file(options.model):
        reject_keras_options(context, options.labels, options.scale)
    url = next((source for source in options.sources if is_url(source)), None)
    if url and not options.allow_url:
        raise click.UsageError(f"'{url}' is a URL. Add --allow-url to download it.")
    if STDIN in options.sources and is_terminal(sys.stdin):
        raise click.UsageError("'-' reads an image from stdin. Send it one: mien predict - < photo.jpg")
    if options.as_json and options.csv == STDOUT:
        raise click.UsageError("--json and --csv - both write to stdout. Give --csv a file.")
    if options.csv:
        from mien.images import IMAGE_SUFFIXES

        if Path(options.csv).suffix.lower() in IMAGE_SUFFIXES:  # such as --csv *.jpg
            raise click.UsageError(f"--csv would overwrite the image '{options.csv}'. Name a .csv file.")
        if any(is_same_file(options.csv, source) for source in options.sources):
            raise click.UsageError(f"--csv would overwrite the source '{options.csv}'. Name a .csv file.")
    is_folder = options.annotate and not denotes_file(options.annotate)
    if is_folder and contains_sources(Path(options.annotate or ""), options.sources):
        raise click.UsageError(
            f"'{options.annotate}' contains the originals, and copies need a folder of their own. "
            "Try --annotate annotated."
        )


def run(options: PredictOptions, engine: Engine) -> int:
    """Read all images, print each result as soon as it is there, and return the exit status."""
    from mien.apps.cli.results import format_failure, open_row_writer, select_printer
    from mien.results import Failure

    copies = CopyWriter(options.annotate, options.max_pixels) if options.annotate else None
    inputs = _list_inputs(options, copies)
    print_result = select_printer(options.as_json, failures_only=options.csv == STDOUT)
    counts = PredictionCounts()
    with ExitStack() as stack:
        stack.enter_context(silence_native_stderr())
        write_rows = stack.enter_context(open_row_writer(options.csv, engine.labels))
        bar = stack.enter_context(ProgressBar(count_inputs(options.sources) if is_terminal(sys.stderr) else None))
        for image, result in stack.enter_context(closing(_read_in_order(engine, inputs, options))):
            counts.add(result)
            bar.clear()
            print_result(result)
            write_rows(result)
            if copies and not isinstance(result, Failure):
                try:
                    copies.write(image, result)
                except MienError as error:  # the result has been printed, and the run continues
                    print_note(format_failure(Failure(image.name, error)))
                    counts.failed += 1
            bar.update(counts.images)
    _print_summary(options, engine, counts)
    return counts.exit_status(options.require_face)


def _list_inputs(options: PredictOptions, copies: CopyWriter | None) -> Iterator[InputImage]:
    """The images to read. Several of them cannot be annotated into one file, and copies are not read again."""
    if copies is None:
        return find_inputs(options.sources)
    if not copies.is_one_file:
        return find_inputs(options.sources, exclude=resolve_links(copies.target))
    inputs = find_inputs(options.sources)
    first = list(islice(inputs, 2))
    if len(first) > 1:
        raise click.UsageError(
            f"'{options.annotate}' is one file, and there are several images. "
            "Name a folder for the copies, such as --annotate annotated."
        )
    return chain(first, inputs)


def _read_in_order(
    engine: Engine, inputs: Iterator[InputImage], options: PredictOptions
) -> Generator[tuple[InputImage, FrameResult | Failure], None, None]:
    """Each image with its result. The engine reads a few images ahead; as many wait here, and no more."""
    pending: deque[InputImage] = deque()

    def sources() -> Iterator[Path | bytes | Failure]:
        for image in inputs:
            pending.append(image)
            yield image.source

    results = engine.read_many(sources(), min_face=options.min_face, max_pixels=options.max_pixels, jobs=options.jobs)
    for result in results:
        image = pending.popleft()
        yield image, replace(result, source=image.name)


class CopyWriter:
    """Writes annotated copies to one file, or to a folder that mirrors the sources; never over an original."""

    def __init__(self, target: str, max_pixels: int | None = None) -> None:
        self.target = Path(target)
        self.is_one_file = denotes_file(target)
        self._max_pixels = max_pixels
        self._used: set[str] = set()

    def write(self, image: InputImage, result: FrameResult) -> Path:
        from mien.draw import draw_readings
        from mien.images import WRITABLE_SUFFIXES, load_image, save_image
        from mien.results import Failure

        assert not isinstance(image.source, Failure), "a failure has no result"
        path = self.target
        if not self.is_one_file:
            relative = image.relative_path
            if relative.suffix.lower() not in WRITABLE_SUFFIXES:  # photo.gif is copied to photo.gif.png
                relative = relative.with_name(relative.name + ".png")
            path = self.target / self._make_unique(relative)
        if isinstance(image.source, Path) and is_same_file(path, image.source):
            raise OutputError(
                f"'{path}' is the image itself", "An annotated copy needs another path", "Name another file or folder"
            )
        # Decoded a second time: the engine does not keep the pixels, so that a long run needs little memory.
        pixels = load_image(image.source, max_pixels=self._max_pixels).pixels
        if not self.is_one_file:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(
                    f"The folder '{path.parent}' could not be created: {error.strerror or error}",
                    "Annotated copies are written there",
                    "Name another folder with --annotate",
                ) from error
        save_image(draw_readings(pixels, result), path)
        return path

    def _make_unique(self, relative: Path) -> Path:
        """``x.gif.png`` may be the copy of ``x.gif`` and an image itself: the second one gets a number."""
        path, number = relative, 1
        while str(path).lower() in self._used:
            number += 1
            path = relative.with_stem(f"{relative.stem}-{number}")
        self._used.add(str(path).lower())
        return path


@dataclass
class PredictionCounts:
    """How many images and faces have been read so far."""

    images: int = 0
    faces: int = 0
    without_face: int = 0
    failed: int = 0
    started: float = field(default_factory=time.monotonic)

    def add(self, result: FrameResult | Failure) -> None:
        from mien.results import Failure

        self.images += 1
        if isinstance(result, Failure):
            self.failed += 1
        else:
            self.faces += len(result)
            self.without_face += not len(result)

    def exit_status(self, require_face: bool) -> int:
        return int(self.failed > 0 or (require_face and self.without_face > 0))


def _print_summary(options: PredictOptions, engine: Engine, counts: PredictionCounts) -> None:
    """Counts and written files for a person at a terminal; a pipe gets results only."""
    if options.require_face and counts.without_face:
        print_note(f"mien: {counts.without_face:,} of {counts.images:,} images have no face (--require-face).")
    if options.as_json or not is_terminal(sys.stderr) or not is_terminal(sys.stdout):
        return
    seconds = time.monotonic() - counts.started
    if counts.images > 1:
        parts = [f"{counts.images:,} images", f"{counts.faces:,} face{'s' * (counts.faces != 1)}"]
        parts += [f"{counts.without_face:,} without a face"] * bool(counts.without_face)
        parts += [f"{counts.failed:,} failed"] * bool(counts.failed)
        print_note(", ".join([*parts, f"{seconds:.1f} s"]))
    if options.annotate:
        print_note(f"Annotated: {escape_controls(options.annotate)}")
    if options.csv:
        print_note(f"Table: {escape_controls(options.csv)}")
    if options.detector == "auto" and engine.detector == "haar":
        suggest_yunet(seconds)
