"""``mien predict``: read the expressions in images."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.apps.cli.console import (
    STDOUT,
    ProgressBar,
    convert_output_errors,
    escape_controls,
    is_terminal,
    print_note,
    silence_native_stderr,
)
from mien.apps.cli.options import (
    DETECTOR_OPTION,
    DOWNLOAD_OPTIONS,
    KERAS_OPTIONS,
    MIN_FACE_OPTION,
    MODEL_OR_RUN_OPTION,
    PRIOR_OPTION,
    REQUIRE_FACE_OPTION,
    SOURCES_ARGUMENT,
    is_keras_file,
    open_engine,
    reject_keras_options,
    suggest_yunet,
)
from mien.apps.cli.sources import ImageSources, InputImage, find_output_folder, is_same_file, make_unique
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

    sources: ImageSources
    as_json: bool
    csv: str | None
    annotate: str | None
    detector: str
    model: str
    prior: str
    labels: str | None
    scale: str | None
    min_face: int | None
    require_face: bool
    jobs: int | None
    allow_url: bool
    max_pixels: int | None


@click.command(epilog=EPILOG)
@SOURCES_ARGUMENT
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for each image.")
@click.option("--csv", metavar="FILE", help="Write a table with one row for each face; - is stdout.")
@click.option("--annotate", metavar="PATH", help="Write annotated copies: a file for one image, a folder for several.")
@DETECTOR_OPTION
@MODEL_OR_RUN_OPTION
@PRIOR_OPTION
@KERAS_OPTIONS
@MIN_FACE_OPTION
@REQUIRE_FACE_OPTION
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Number of images to read in parallel.")
@DOWNLOAD_OPTIONS
@click.pass_context
def predict(context: click.Context, /, **arguments: Any) -> None:
    """Read the expressions in images.

    SRC is an image, a folder (searched recursively), a glob, - for an image on stdin, or with
    --allow-url a URL. Every face gets a line: what its expression looks like, the probability of
    each expression, and how annotators would be predicted to vote.
    """
    options = PredictOptions(**arguments)
    _check_options(context, options)
    engine = open_engine(context, options.model, options.detector, options.prior, options.labels, options.scale)
    context.exit(run(options, engine))


def _check_options(context: click.Context, options: PredictOptions) -> None:
    """Refuse options that contradict each other, before anything is loaded or written."""
    if not is_keras_file(options.model):
        reject_keras_options(context, options.labels, options.scale)
    options.sources.check(options.allow_url, "mien predict - < photo.jpg")
    if options.as_json and options.csv == STDOUT:
        raise click.UsageError("--json and --csv - both write to stdout. Give --csv a file.")
    if options.csv:
        from mien.images import IMAGE_SUFFIXES

        if Path(options.csv).suffix.lower() in IMAGE_SUFFIXES:  # such as --csv *.jpg
            raise click.UsageError(f"--csv would overwrite the image '{options.csv}'. Name a .csv file.")
        if options.sources.includes(options.csv):
            raise click.UsageError(f"--csv would overwrite the source '{options.csv}'. Name a .csv file.")
    if not options.annotate:
        return
    folder = find_output_folder(options.annotate)
    if folder is None and options.sources.has_several():
        raise click.UsageError(
            f"'{options.annotate}' is one file, and there are several images. "
            "Name a folder for the copies, such as --annotate annotated."
        )
    if folder is not None and options.sources.are_below(folder):
        raise click.UsageError(
            f"'{options.annotate}' contains the originals, and copies need a folder of their own. "
            "Try --annotate annotated."
        )


def run(options: PredictOptions, engine: Engine) -> int:
    """Read all images, print each result as soon as it is there, and return the exit status."""
    from mien.apps.cli.results import format_failure, open_output
    from mien.results import Failure

    copies = CopyWriter(options.annotate, options.max_pixels) if options.annotate else None
    images = options.sources.find(exclude=copies.folder if copies else None)
    total = options.sources.count() if is_terminal(sys.stderr) else None
    counts = PredictionCounts()
    with ExitStack() as stack:
        stack.enter_context(silence_native_stderr())
        write = stack.enter_context(open_output(options.as_json, options.csv, engine.labels, engine.vote_labels))
        bar = stack.enter_context(ProgressBar(total))
        for image, result in bar.track(stack.enter_context(closing(_read_in_order(engine, images, options)))):
            counts.add(result)
            write(result)
            if copies and not isinstance(result, Failure):
                try:
                    copies.write(image, result)
                except MienError as error:  # the result has been printed, and the run continues
                    print_note(format_failure(Failure(image.name, error)))
                    counts.failed += 1
    _print_summary(options, engine, counts)
    return counts.exit_status(options.require_face)


def _read_in_order(
    engine: Engine, images: Iterator[InputImage], options: PredictOptions
) -> Generator[tuple[InputImage, FrameResult | Failure], None, None]:
    """Each image with its result. The engine reads a few images ahead; as many wait here, and no more."""
    images, ahead = tee(images)
    sources = (image.source for image in ahead)
    results = engine.read_many(sources, min_face=options.min_face, max_pixels=options.max_pixels, jobs=options.jobs)
    for result, image in zip(results, images, strict=True):
        yield image, replace(result, source=image.name)


class CopyWriter:
    """Writes annotated copies to one file, or to a folder that mirrors the sources; never over an original."""

    def __init__(self, target: str, max_pixels: int | None = None) -> None:
        self.folder = find_output_folder(target)  # None for one file
        self._target = Path(target)
        self._max_pixels = max_pixels
        self._used: set[str] = set()

    def write(self, image: InputImage, result: FrameResult) -> None:
        from mien.draw import draw_readings
        from mien.images import WRITABLE_SUFFIXES, load_image, save_image
        from mien.results import Failure

        assert not isinstance(image.source, Failure), "a failure has no result"
        path = self._target
        if self.folder:
            relative = image.relative_path
            if relative.suffix.lower() not in WRITABLE_SUFFIXES:  # photo.gif is copied to photo.gif.png
                relative = relative.with_name(relative.name + ".png")
            path = self.folder / make_unique(relative, self._used)  # x.gif.png may be an image itself
        if isinstance(image.source, Path) and is_same_file(path, image.source):
            raise OutputError(
                f"'{path}' is the image itself", "An annotated copy needs another path", "Name another file or folder"
            )
        # Decoded a second time: the engine does not keep the pixels, so that a long run needs little memory.
        pixels = load_image(image.source, max_pixels=self._max_pixels).pixels
        if self.folder:
            with convert_output_errors(path.parent):
                path.parent.mkdir(parents=True, exist_ok=True)
        save_image(draw_readings(pixels, result), path)


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
    """Counts on stderr, also where stdout is a pipe; written files and advice only for a person at a terminal."""
    if options.require_face and counts.without_face:
        print_note(f"mien: {counts.without_face:,} of {counts.images:,} images have no face (--require-face).")
    seconds = time.monotonic() - counts.started
    if counts.images > 1:
        parts = [f"{counts.images:,} images", f"{counts.faces:,} face{'s' * (counts.faces != 1)}"]
        parts += [f"{counts.without_face:,} without a face"] * bool(counts.without_face)
        parts += [f"{counts.failed:,} failed"] * bool(counts.failed)
        print_note(", ".join([*parts, f"{seconds:.1f} s"]))
    if options.as_json or not is_terminal(sys.stderr) or not is_terminal(sys.stdout):
        return
    if options.annotate:
        print_note(f"Annotated: {escape_controls(options.annotate)}")
    if options.csv:
        print_note(f"Table: {escape_controls(options.csv)}")
    if options.detector == "auto" and engine.detector == "haar":
        suggest_yunet(seconds)
