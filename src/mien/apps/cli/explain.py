"""``--data``: the faces that excite a channel most, looked for once for all faces that are explained."""

from __future__ import annotations

import io
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from mien import images
from mien.apps.cli.console import ProgressBar, escape_controls, is_terminal, print_line, print_note, silence_native_stderr
from mien.apps.cli.dataset_options import load_with_progress
from mien.apps.cli.options import DETECTOR_OPTION, MODEL_OPTION, open_engine
from mien.apps.cli.results import describe_expression, format_failure
from mien.apps.cli.sources import STDIN, InputImage, contains_sources, find_inputs, is_directory, is_url
from mien.draw import draw_readings
from mien.engine import Engine
from mien.errors import MienError, OutputError
from mien.explain import Explanation, Layer, figures
from mien.explain.explanation import METHODS, parse_methods
from mien.explain.figures.evidence import number_faces
from mien.explain.page import render_overview, render_walkthrough
from mien.explain.regions import measure_regions
from mien.results import Failure, FrameResult, Pixels, Reading
from mien.text import format_percent

#: Faces that are looked at, drawn at random where there are more; more of them would take minutes.
_MOST = 2000

#: Channels of a layer that are shown, the strongest on the face; and faces for each.
_CHANNELS, _FACES = 12, 9


class Examples:
    """The faces of a data set, and which of them excite the channels of a layer."""

    def __init__(self, source: str, engine: Engine) -> None:
        faces = load_with_progress(source, ()).faces
        training = faces.pixels[faces.usage == "Training"]
        pixels = training if len(training) else faces.pixels
        chosen = np.random.default_rng(0).permutation(len(pixels))[:_MOST]
        self._faces: NDArray[np.uint8] = pixels[np.sort(chosen)]
        self._engine = engine

    def picture(self, layer: Layer) -> Pixels:
        """What the strongest channels of a layer respond to."""
        channels = layer.order[:_CHANNELS]
        return figures.draw_top_activating(
            layer, self._faces, self._engine.top_activating(self._faces, layer.name, channels, _FACES)
        )


# ==== mien.apps.cli.explained
# What ``mien explain`` writes: one folder for each picture, put in its place when it is whole.

WALKTHROUGH = "walkthrough.html"


@dataclass(frozen=True, eq=False)
class Explained:
    """A picture and what was found in it; ``steps`` names the layers that get a picture and a step, None all."""

    source: str
    pixels: Pixels
    faces: tuple[Explanation, ...]
    steps: tuple[str, ...] | None
    detector: str
    model: str

    @property
    def result(self) -> FrameResult:
        """As ``mien predict`` tells it."""
        height, width = self.pixels.shape[:2]
        known = ((each.face, each.emotions, each.quality) for each in self.faces)
        readings = tuple(Reading(face, told, quality) for face, told, quality in known if face and quality)
        return FrameResult(self.source, (width, height), readings, self.detector, self.model)

    def shown(self, told: Explanation) -> tuple[Layer, ...]:
        return tuple(layer for layer in told.layers if self.steps is None or layer.name in self.steps)


def write(
    found: Explained,
    folder: Path,
    formats: Sequence[str],
    examples: Examples | None,
    progress: Callable[[int, int], None],
) -> Path | None:
    """Every file that was asked for; the page to open first, if there is one. ``progress`` counts the faces."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Beside the place where it will be, or inside it where that is there: putting it there is no copying.
        beside = folder if folder.is_dir() else folder.parent
        with tempfile.TemporaryDirectory(dir=beside, prefix=".mien-") as name:
            made = Path(name) / "made"
            made.mkdir()
            for done, _ in enumerate(_all(found, made, formats, examples), 1):
                progress(done, len(found.faces))
            _put(made, folder)
    except OSError as error:
        raise unwritable(folder, error) from error
    return folder / WALKTHROUGH if "html" in formats else None


def _put(made: Path, folder: Path) -> None:
    """The files where they belong, the folders first."""
    for path in sorted(made.rglob("*")):
        place = folder / path.relative_to(made)
        if path.is_dir():
            place.mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(made.rglob("*")):
        if path.is_file():
            path.replace(folder / path.relative_to(made))


def _all(found: Explained, folder: Path, formats: Sequence[str], examples: Examples | None) -> Iterator[Explanation]:
    """Each face as it has been written, when what belongs to all of them is there."""
    many = len(found.faces) > 1
    if "json" in formats:
        whole = {**found.result.to_dict(), "faces": [each.to_dict() for each in found.faces]}
        (folder / "explanation.json").write_text(_json(whole), encoding="utf-8")
    if many and "png" in formats:
        images.save_image(_annotated(found), folder / "faces.png")
    if "html" in formats and len(found.faces) != 1:
        page = render_overview(found.source, found.pixels, found.faces, _annotated(found))
        (folder / WALKTHROUGH).write_text(page, encoding="utf-8")
    for told in found.faces:
        place = folder / f"face-{told.number}" if many else folder
        place.mkdir(exist_ok=True)
        _face(found, told, place, formats)
        if examples is not None and "png" in formats:
            _examples(found.shown(told), place, examples)
        yield told


def _face(found: Explained, told: Explanation, folder: Path, formats: Sequence[str]) -> None:
    names = [layer.name for layer in found.shown(told)]
    if "html" in formats:
        (folder / WALKTHROUGH).write_text(render_walkthrough(told, found.pixels, names), encoding="utf-8")
    if "png" in formats:
        for name, pixels in _pictures(found, told):
            images.save_image(pixels, folder / f"{name}.png")
    if "npz" in formats:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **told.arrays())
        (folder / "arrays.npz").write_bytes(buffer.getvalue())


def _examples(shown: Sequence[Layer], folder: Path, examples: Examples) -> None:
    for layer in shown:
        if layer.kind not in ("dense", "softmax"):
            images.save_image(examples.picture(layer), folder / f"exciting-{_file(layer.name)}.png")


def _pictures(found: Explained, told: Explanation) -> Iterator[tuple[str, Pixels]]:
    shown = found.shown(told)
    yield from _of_layers(shown, told)
    if told.layers:
        yield "activations", figures.draw_layers(told.layers, told.crop)
        yield "reach", figures.draw_receptive_fields(replace(told, layers=shown))
    yield "softmax", figures.draw_softmax(told)
    if told.contributions:
        yield "sum", figures.draw_contributions(told)
    if told.maps:
        yield "where", figures.draw_evidence_maps(told, found.pixels)
    if told.kernels is not None:
        yield "kernels", figures.draw_kernels(told.kernels)
    if told.costs:
        yield "costs", figures.draw_costs(told)


def _of_layers(shown: Sequence[Layer], told: Explanation) -> Iterator[tuple[str, Pixels]]:
    before: Layer | None = None
    for layer in shown:
        placed = len(layer.shape) == 3
        if placed or layer.kind == "pool":
            kind = "pooling" if layer.kind == "pool" else "feature-maps"
            yield f"{kind}-{_file(layer.name)}", figures.draw_feature_maps(layer, told.crop.shape[0], before)
        before = layer if placed else before


def _file(name: str) -> str:
    """A layer's name as part of a file's, on any system."""
    return re.sub(r"[^\w.-]+", "_", name)[:80]


def _annotated(found: Explained) -> Pixels:
    return number_faces(draw_readings(found.pixels, found.result), found.faces)


def _json(told: Any) -> str:
    return json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


# ==== mien.apps.cli.explaining
# The run of ``mien explain``, from the first picture to the exit status.

#: Methods that ask the network again and again; each gets a tick of the bar.
_SLOW = METHODS[1:]


def run(request: Request, reader: Engine) -> int:
    """Explain everything that was asked for, say what came of it, and return the exit status."""
    steps = _layers(request, reader)
    failed = faceless = 0
    examples = Examples(request.data, reader) if request.data else None
    with silence_native_stderr(), ProgressBar() as bar:
        for item, folder in _places(request):
            try:
                found = _explained(request, reader, item, steps, bar)
                page = write(found, folder, request.formats, examples, bar.update)
            except MienError as error:
                bar.clear()
                print_note(format_failure(Failure(item.name, error)))
                failed += 1
                continue
            bar.clear()
            faceless += not found.faces
            for line in _lines(found):
                print_line(line)
            print_note(
                f"Walkthrough: {escape_controls(str(page))}" if page else f"Explained: {escape_controls(str(folder))}"
            )
    if request.require_face and faceless:
        print_note(f"mien: {faceless:,} without a face, and --require-face was given.")
    return int(failed > 0 or (request.require_face and faceless > 0))


def _layers(request: Request, engine: Engine) -> tuple[str, ...] | None:
    """The layers that get a picture and a step each; None is all. Unknown words are refused before any work."""
    try:
        parse_methods(request.methods)
        blank = np.full((engine.card.side,) * 2, 128, np.uint8)
        wanted = request.layers or "auto"
        tried = engine.explain(blank, (), wanted, request.target, request.versus)
    except MienError as error:
        raise click.UsageError(escape_controls(str(error))) from error
    return None if request.layers == "all" else tuple(layer.name for layer in tried.layers)


def _places(request: Request) -> Iterator[tuple[InputImage, Path]]:
    """Each picture and its folder: the named one for a lone file, a folder inside it for each of several."""
    found = find_inputs(request.sources)
    first = list(islice(found, 2))
    if len(first) == 1 and not is_directory(request.sources[0]):
        yield first[0], request.out
        return
    taken: set[str] = set()
    for item in chain(first, found):
        yield item, request.out / _free(item.relative_path.with_suffix(""), taken)


def _free(wanted: Path, taken: set[str]) -> Path:
    """``photo.jpg`` and ``photo.png`` cannot share a folder: who comes second gets a number."""
    place, number = wanted, 1
    while str(place).lower() in taken:
        number += 1
        place = wanted.with_name(f"{wanted.name}-{number}")
    taken.add(str(place).lower())
    return place


def _explained(
    request: Request, engine: Engine, item: InputImage, steps: tuple[str, ...] | None, bar: ProgressBar
) -> Explained:
    if isinstance(item.source, Failure):
        raise item.source.error
    pixels = images.load_image(item.source, max_pixels=request.max_pixels).pixels
    methods = parse_methods(request.methods) or METHODS[:1]
    told = engine.explain_image(
        pixels,
        request.face if request.face else None,
        methods=[each for each in methods if each not in _SLOW],
        layers="all",
        target=request.target,
        versus=request.versus,
        min_face=request.min_face,
    )
    named = [replace(each, source=item.name) for each in told]
    slow = [each for each in methods if each in _SLOW]
    tick = _ticks(bar, len(named) * len(slow))
    faces = tuple(_with(engine, each, slow, methods, request, tick) for each in named)
    return Explained(item.name, pixels, faces, steps, engine.detector, engine.card.name)


def _ticks(bar: ProgressBar, total: int) -> Callable[[], None]:
    done = iter(range(1, total + 1))
    return lambda: bar.update(next(done), total)


def _with(
    engine: Engine,
    told: Explanation,
    slow: list[str],
    methods: tuple[str, ...],
    request: Request,
    tick: Callable[[], None],
) -> Explanation:
    """The explanation with the maps of the slow methods too, asked for one by one, in the order they were named."""
    basis = told.regions[0].basis if told.regions else _basis(told)
    pairs = list(zip(told.maps, told.regions, strict=True))
    counterfactual, sought = told.counterfactual, told.counterfactual_searched
    for method in slow:
        more = engine.explain(told.crop, [method], (), told.target, request.versus, request.seed)
        pairs += [(each, measure_regions(each, told.region_map, basis)) for each in more.maps]
        counterfactual, sought = counterfactual or more.counterfactual, sought or more.counterfactual_searched
        tick()
    order = {name: place for place, name in enumerate(methods)}
    pairs.sort(key=lambda pair: order.get(pair[0].method, -1))
    maps, regions = tuple(each for each, _ in pairs), tuple(each for _, each in pairs)
    return replace(told, maps=maps, regions=regions, counterfactual=counterfactual, counterfactual_searched=sought)


def _basis(told: Explanation) -> str:
    return "landmarks" if told.face is not None and told.face.landmarks else "mean geometry"


def _lines(found: Explained) -> Iterator[str]:
    """A line for each face: what it looks like, how sure, and where the evidence lies."""
    name = escape_controls(found.source)
    if not found.faces:
        yield f"{name}: no face found"
    for told in found.faces:
        top = told.emotions.top
        yield f"{name}: face {told.number} {describe_expression(top)}, {format_percent(told.emotions[top])}{_evidence(told)}"


def _evidence(told: Explanation) -> str:
    parts = [share for share in (told.regions[0].evidence if told.regions else ()) if share.label != "rest"]
    if not parts:
        return ""
    most = max(parts, key=lambda share: share.score)
    return f"; {format_percent(most.score)} of the evidence for {escape_controls(told.target)} lies on the {most.label}"


# ==== mien.apps.cli.explain
# ``mien explain``: what the network sees in the faces of a picture, and where it looked.

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
@DETECTOR_OPTION
@MODEL_OPTION
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
    pass

    engine = open_engine(context, request.model, request.detector)
    context.exit(run(request, engine))


def _check(request: Request) -> None:
    """Refuse what cannot be meant, before anything is loaded or written."""
    address = next((word for word in request.sources if is_url(word)), None)
    if address and not request.allow_url:
        raise click.UsageError(f"'{address}' is an address. Add --allow-url to have it fetched.")
    if STDIN in request.sources and is_terminal(sys.stdin):
        raise click.UsageError("'-' reads a picture from stdin. Give it one: mien explain - -o explained < photo.jpg")
    if request.out.is_dir() and contains_sources(request.out, request.sources):
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
