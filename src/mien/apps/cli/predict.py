"""``mien predict``: read the expressions in pictures."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from mien.apps.cli.choices import DETECTOR, MODEL_OR_RUN
from mien.apps.cli.located import LABELS, SCALE, is_keras, readable
from mien.apps.cli.output import on_terminal, printable
from mien.apps.cli.paths import STDIN, STDOUT, holds_originals, is_address, is_file, same_file
from mien.apps.cli.reader import LoadEngine, Reader
from mien.errors import DetectorError, ModelMissing

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
class Request:
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
@DETECTOR
@MODEL_OR_RUN
@LABELS
@SCALE
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
    request = Request(**options)
    _check(request)
    # Imported here: reading needs NumPy, OpenCV and ONNX Runtime, and --help does not.
    from mien.apps.cli.reading import run

    context.exit(run(request, _engine(context, request)))


def _check(request: Request) -> None:
    """Refuse what cannot be meant, before anything is loaded or written."""
    if (request.labels or request.scale) and not is_keras(request.model):
        raise click.UsageError("--labels and --scale are for Keras files; an .onnx file says both itself.")
    address = next((word for word in request.sources if is_address(word)), None)
    if address and not request.allow_url:
        raise click.UsageError(f"'{address}' is an address. Add --allow-url to have it fetched.")
    if STDIN in request.sources and on_terminal(sys.stdin):
        raise click.UsageError("'-' reads a picture from stdin. Give it one: mien predict - < photo.jpg")
    if request.as_json and request.csv == STDOUT:
        raise click.UsageError("--json and --csv - both want stdout. Give --csv a file.")
    if request.csv and _names_a_picture(request.csv):  # such as --csv *.jpg
        raise click.UsageError(f"--csv would write its table over the picture '{request.csv}'. Name a .csv file.")
    if request.csv and any(same_file(request.csv, word) for word in request.sources):
        raise click.UsageError(f"--csv would write its table over the source '{request.csv}'. Name a .csv file.")
    if request.annotate and not is_file(request.annotate) and holds_originals(Path(request.annotate), request.sources):
        raise click.UsageError(
            f"the originals lie in '{request.annotate}', and copies never lie among them. Try --annotate painted."
        )


def _names_a_picture(target: str) -> bool:
    from mien.media import SUFFIXES

    return Path(target).suffix.lower() in SUFFIXES


def _engine(context: click.Context, request: Request) -> Reader:
    load: LoadEngine = context.obj
    try:
        model = readable(request.model, request.labels, request.scale)
        return load(model=model, detector=request.detector)
    except (DetectorError, ModelMissing) as error:
        raise click.UsageError(printable(str(error)), context) from error
