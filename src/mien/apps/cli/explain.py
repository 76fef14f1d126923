"""``mien explain``: what the network sees in the faces of a picture, and where it looked."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from mien.apps.cli.choices import DETECTOR, MODEL
from mien.apps.cli.output import on_terminal, printable
from mien.apps.cli.paths import STDIN, holds_originals, is_address
from mien.apps.cli.reader import LoadEngine
from mien.errors import DetectorError, MienError, ModelMissing, OutputError

FORMATS = ("html", "png", "npz", "json")

EPILOG = """\b
Examples:
  mien explain photo.jpg -o explained
  mien explain photo.jpg -o where --method cam,occlusion,rise
  mien explain photo.jpg -o contrast --target happy --versus surprise
  mien explain photo.jpg -o layers --layers stem,stage2.block2 --format png
  mien explain photos -o explained --format html --format json
  mien explain photo.jpg -o crop --detector none

\b
Exit status: 0, also when no face was found; 1 if a picture failed or the folder cannot be
written, or if --require-face is given and a picture has no face; 2 for wrong usage, an unknown
method, layer, expression, detector or model.
"""


@dataclass(frozen=True)
class Request:
    """The command line of ``mien explain``, as it was given."""

    sources: tuple[str, ...]
    out: Path
    methods: tuple[str, ...]
    layers: str | None
    target: str | None
    versus: str | None
    face: int | None
    data: str | None
    formats: tuple[str, ...]
    detector: str
    model: str
    min_face: int | None
    require_face: bool
    force: bool
    seed: int
    allow_url: bool
    max_pixels: int | None


def _parted(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """``cam,rise`` is ``cam`` and ``rise``; each once."""
    return tuple(dict.fromkeys(word.strip() for each in given for word in each.split(",") if word.strip()))


def _formats(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    named = _parted(context, option, given)
    if wrong := next((word for word in named if word not in FORMATS), None):
        raise click.BadParameter(f"'{wrong}' is none of {', '.join(FORMATS)}.")
    return named or FORMATS


@click.command(epilog=EPILOG)
@click.argument("sources", nargs=-1, required=True, metavar="SRC...")
@click.option(
    "-o", "--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Folder for the files."
)
@click.option(
    "--method",
    "methods",
    multiple=True,
    callback=_parted,
    metavar="NAMES",
    help="How to find where it looked: cam, occlusion, rise; several with commas between. Without it: cam.",
)
@click.option(
    "--layers", metavar="NAMES", help="all, or names with commas between. Without it: the end of every stage."
)
@click.option("--target", metavar="LABEL", help="The expression to explain. Without it: the one that leads.")
@click.option("--versus", metavar="LABEL", help="Why not this one? The maps then say what speaks for which.")
@click.option("--face", type=click.IntRange(min=1), metavar="N", help="Only face N, the largest being 1.")
@click.option("--data", metavar="SRC", help="Faces with labels (extra 'lab'): show those that excite a channel most.")
@click.option(
    "--format",
    "formats",
    multiple=True,
    callback=_formats,
    metavar="html|png|npz|json",
    help="Write only files of this kind; may be repeated.",
)
@DETECTOR
@MODEL
@click.option("--min-face", type=click.IntRange(min=1), metavar="N", help="Smallest face to look for, in pixels.")
@click.option("--require-face", is_flag=True, help="Exit with 1 if any picture has no face.")
@click.option("--force", is_flag=True, help="Write into a folder that is not empty.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="For what rise leaves to chance."
)
@click.option("--allow-url", is_flag=True, help="Let SRC be an http(s) address, and fetch it.")
@click.option("--max-pixels", type=click.IntRange(min=1), metavar="N", help="Refuse larger pictures before decoding.")
@click.pass_context
def explain(context: click.Context, /, **options: Any) -> None:
    """Show what the network sees, and where it looked.

    The folder receives walkthrough.html, a page that shows the face in the network step by step;
    feature-maps-LAYER.png and pooling-LAYER.png, activations.png, softmax.png, where.png and a few
    more pictures; explanation.json, and every array as arrays.npz. Several faces get a folder each
    (face-1 is the largest, as numbered in faces.png), and so do several pictures.
    """
    request = Request(**options)
    _check(request)
    # Imported here: explaining needs NumPy, OpenCV and ONNX Runtime, and --help does not.
    from mien.apps.cli.explaining import run

    try:
        load: LoadEngine = context.obj
        engine = load(model=request.model, detector=request.detector)
    except (DetectorError, ModelMissing) as error:
        raise click.UsageError(printable(str(error)), context) from error
    context.exit(run(request, engine))


def _check(request: Request) -> None:
    """Refuse what cannot be meant, before anything is loaded or written."""
    address = next((word for word in request.sources if is_address(word)), None)
    if address and not request.allow_url:
        raise click.UsageError(f"'{address}' is an address. Add --allow-url to have it fetched.")
    if STDIN in request.sources and on_terminal(sys.stdin):
        raise click.UsageError("'-' reads a picture from stdin. Give it one: mien explain - -o explained < photo.jpg")
    if request.out.is_dir() and holds_originals(request.out, request.sources):
        raise click.UsageError(f"the originals lie in '{request.out}'. Name a folder of its own, such as -o explained.")
    _refuse_full(request)


def _refuse_full(request: Request) -> None:
    if request.force or not request.out.exists():
        return
    try:
        full = not request.out.is_dir() or any(request.out.iterdir())
    except OSError as error:
        raise unwritable(request.out, error) from error
    if full:
        happened = f"'{request.out}' is there already and not empty"
        raise OutputError(happened, "An explanation needs a folder of its own", "Name another, or add --force")


def unwritable(folder: Path, error: OSError) -> MienError:
    reason = error.strerror or error
    return OutputError(f"'{folder}' cannot be written: {reason}", "The explanation goes there", "Name another with -o")
