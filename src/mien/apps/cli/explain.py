"""``mien explain``: explain the predictions for the faces of images, as pages, figures, JSON and arrays."""

from __future__ import annotations

import io
import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.apps.cli.console import (
    ProgressBar,
    convert_output_errors,
    escape_controls,
    print_line,
    print_note,
    silence_native_stderr,
)
from mien.apps.cli.options import (
    DOWNLOAD_OPTIONS,
    ENGINE_OPTIONS,
    MIN_FACE_OPTION,
    REQUIRE_FACE_OPTION,
    SOURCES_ARGUMENT,
    load_with_progress,
    open_engine,
)
from mien.apps.cli.sources import ImageSources, InputImage
from mien.errors import MienError, OutputError

if TYPE_CHECKING:  # explanations need NumPy, OpenCV and ONNX Runtime, which `--help` does without
    from numpy.typing import NDArray

    from mien.engine import Engine
    from mien.explain import Explanation, Layer
    from mien.results import FrameResult, Pixels

FORMATS = ("html", "png", "npz", "json")

WALKTHROUGH = "walkthrough.html"

#: Faces of --data, a random sample of them if there are more; channels of a layer, and faces of each channel.
_MAX_FACES, _CHANNELS, _FACES_OF_CHANNEL = 2000, 12, 9

EPILOG = """\b
Examples:
  mien explain photo.jpg -o explained
  mien explain photo.jpg -o methods --method cam,occlusion,rise
  mien explain photo.jpg -o comparison --target happy --versus surprise
  mien explain photo.jpg -o layers --layers stem,stage2.block2 --format png
  mien explain photos -o pages --format html --format json
  mien explain photo.jpg -o crop --detector none

\b
Exit status: 0, also when no face was found; 1 if an image failed or the folder cannot be
written, or if --require-face is given and an image has no face; 2 for wrong usage, an unknown
method, layer, expression, detector or model.
"""


@dataclass(frozen=True)
class ExplainOptions:
    """The arguments and options of ``mien explain``."""

    sources: ImageSources
    out: Path
    methods: tuple[str, ...] = ()
    layers: str | None = None
    target: str | None = None
    versus: str | None = None
    face: int | None = None
    data: str | None = None
    formats: tuple[str, ...] = FORMATS
    detector: str = "auto"
    model: str = "base"
    prior: str = "training"
    min_face: int | None = None
    require_face: bool = False
    force: bool = False
    seed: int = 0
    allow_url: bool = False
    max_pixels: int | None = None


def _split_names(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """``cam,rise`` becomes ``cam`` and ``rise``, each once."""
    return tuple(dict.fromkeys(name.strip() for value in values for name in value.split(",") if name.strip()))


def _split_formats(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    formats = _split_names(context, option, values)
    if wrong := next((name for name in formats if name not in FORMATS), None):
        raise click.BadParameter(f"'{wrong}' is none of {', '.join(FORMATS)}.")
    return formats or FORMATS


@click.command(epilog=EPILOG)
@SOURCES_ARGUMENT
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Folder to write to.")
@click.option(
    "--method",
    "methods",
    multiple=True,
    callback=_split_names,
    metavar="NAMES",
    help="Methods of the evidence maps: cam, occlusion, rise, separated by commas (default: cam).",
)
@click.option(
    "--layers", metavar="NAMES", help="all, or names separated by commas (default: the last layer of every stage)."
)
@click.option("--target", metavar="LABEL", help="The expression to explain (default: the prediction).")
@click.option("--versus", metavar="LABEL", help="Show evidence for the target compared with this expression.")
@click.option("--face", type=click.IntRange(min=1), metavar="N", help="Explain only face N; face 1 is the largest.")
@click.option("--data", metavar="SRC", help="Labelled faces (extra 'lab'): show the top activating faces of channels.")
@click.option(
    "--format",
    "formats",
    multiple=True,
    callback=_split_formats,
    metavar="html|png|npz|json",
    help="Write only files of this format; may be repeated.",
)
@ENGINE_OPTIONS
@MIN_FACE_OPTION
@REQUIRE_FACE_OPTION
@click.option("--force", is_flag=True, help="Write to a folder that is not empty.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the masks of rise.")
@DOWNLOAD_OPTIONS
@click.pass_context
def explain(context: click.Context, /, **arguments: Any) -> None:
    """Explain the predictions for the faces of images.

    The folder receives walkthrough.html, a page that shows the network step by step on this face;
    feature-maps-LAYER.png and pooling-LAYER.png, activations.png, softmax.png, evidence.png and
    more figures; explanation.json, and every array as arrays.npz. Several faces get a folder each
    (face-1 is the largest, as numbered in faces.png), and so do several images.
    """
    options = ExplainOptions(**arguments)
    _check_options(options)
    engine = open_engine(context, options.model, options.detector, options.prior)
    with ProgressBar() as bar:
        context.exit(run(options, engine, bar))


def _check_options(options: ExplainOptions) -> None:
    """Refuse options that contradict each other, before anything is loaded or written."""
    options.sources.check(options.allow_url, "mien explain - -o explained < photo.jpg")
    if options.out.is_dir() and options.sources.are_below(options.out):
        raise click.UsageError(
            f"'{options.out}' contains the originals. Name a folder of its own, such as -o explained."
        )
    if options.force or not options.out.exists():
        return
    with convert_output_errors(options.out):
        is_used = not options.out.is_dir() or any(options.out.iterdir())
    if is_used:
        happened = f"'{options.out}' exists and is not empty"
        raise OutputError(happened, "An explanation needs a folder of its own", "Name another, or add --force")


def run(options: ExplainOptions, engine: Engine, bar: ProgressBar) -> int:
    """Explain all images, print a line for each face, and return the exit status."""
    from mien.apps.cli.results import format_failure
    from mien.results import Failure

    selected_layers = _resolve_layers(options, engine)
    samples = TopActivatingFaces(options.data, engine) if options.data else None
    failed = without_face = 0
    with silence_native_stderr():
        for image, folder in _assign_folders(options):
            try:
                explained = _explain_image(options, engine, image, selected_layers, bar)
                _write_folder(explained, folder, options.formats, samples, bar)
            except MienError as error:
                bar.clear()
                print_note(format_failure(Failure(image.name, error)))
                failed += 1
                continue
            bar.clear()
            without_face += not explained.faces
            for line in _describe_faces(explained):
                print_line(line)
            page = folder / WALKTHROUGH
            has_page = "html" in options.formats
            print_note(
                f"Walkthrough: {escape_controls(str(page))}"
                if has_page
                else f"Explained: {escape_controls(str(folder))}"
            )
    if options.require_face and without_face:
        print_note(f"mien: {without_face:,} without a face (--require-face).")
    return int(failed > 0 or (options.require_face and without_face > 0))


def _resolve_layers(options: ExplainOptions, engine: Engine) -> tuple[str, ...] | None:
    """The layers that get figures and a step on the page; None means all. Unknown names are usage errors."""
    import numpy as np

    from mien.explain.explanation import parse_methods

    try:
        parse_methods(options.methods)
        blank = np.full((engine.card.side,) * 2, 128, np.uint8)
        explanation = engine.explain(blank, (), options.layers or "auto", options.target, options.versus)
    except MienError as error:
        raise click.UsageError(escape_controls(str(error))) from error
    return None if options.layers == "all" else tuple(layer.name for layer in explanation.layers)


def _assign_folders(options: ExplainOptions) -> Iterator[tuple[InputImage, Path]]:
    """Each image with its folder: that of -o for a single file, a folder inside it for each of several."""
    images = options.sources.find()
    if not options.sources.is_folder() and not options.sources.has_several():
        yield next(images), options.out
        return
    used: set[str] = set()
    for image in images:
        # photo.jpg and photo.png cannot share a folder: the second one gets a number.
        folder = image.relative_path.with_suffix("")
        numbered = chain([folder], (folder.with_name(f"{folder.name}-{number}") for number in count(2)))
        unique = next(path for path in numbered if str(path).lower() not in used)
        used.add(str(unique).lower())
        yield image, options.out / unique


@dataclass(frozen=True, eq=False)
class ExplainedImage:
    """An image with the explanations of its faces; ``layers`` names those with figures and steps, None means all."""

    source: str
    pixels: Pixels
    faces: tuple[Explanation, ...]
    layers: tuple[str, ...] | None
    detector: str
    model: str

    @property
    def result(self) -> FrameResult:
        """The result that ``mien predict`` prints."""
        from mien.results import FrameResult, Reading

        height, width = self.pixels.shape[:2]
        readings = tuple(
            Reading(each.face, each.emotions, each.quality) for each in self.faces if each.face and each.quality
        )
        return FrameResult(self.source, (width, height), readings, self.detector, self.model)

    def select_layers(self, explanation: Explanation) -> tuple[Layer, ...]:
        return tuple(layer for layer in explanation.layers if self.layers is None or layer.name in self.layers)


def _explain_image(
    options: ExplainOptions, engine: Engine, image: InputImage, layers: tuple[str, ...] | None, bar: ProgressBar
) -> ExplainedImage:
    """The explanations of all faces. The methods that run the network many times follow one by one, for the bar."""
    from mien import images
    from mien.explain.explanation import METHODS, parse_methods
    from mien.results import Failure

    if isinstance(image.source, Failure):
        raise image.source.error
    pixels = images.load_image(image.source, max_pixels=options.max_pixels).pixels
    methods = parse_methods(options.methods) or METHODS[:1]
    slow = [method for method in methods if method != METHODS[0]]
    explanations = engine.explain_image(
        pixels,
        options.face,
        methods=[method for method in methods if method not in slow],
        layers="all",
        target=options.target,
        versus=options.versus,
        min_face=options.min_face,
    )
    faces = []
    for index, explanation in enumerate(explanations):
        for number, method in enumerate(slow, 1):
            explanation = _add_map(engine, explanation, method, options)
            bar.update(index * len(slow) + number, len(explanations) * len(slow))
        faces.append(replace(_sort_maps(explanation, methods), source=image.name))
    return ExplainedImage(image.name, pixels, tuple(faces), layers, engine.detector, engine.card.name)


def _add_map(engine: Engine, explanation: Explanation, method: str, options: ExplainOptions) -> Explanation:
    """The explanation with the evidence map of one more method, and its counterfactual."""
    from mien.explain.regions import LANDMARKS, MEAN_GEOMETRY, measure_regions

    more = engine.explain(explanation.crop, [method], (), explanation.target, options.versus, options.seed)
    basis = LANDMARKS if explanation.face is not None and explanation.face.landmarks else MEAN_GEOMETRY
    regions = tuple(measure_regions(saliency, explanation.region_map, basis) for saliency in more.maps)
    return replace(
        explanation,
        maps=explanation.maps + more.maps,
        regions=explanation.regions + regions,
        counterfactual=explanation.counterfactual or more.counterfactual,
        counterfactual_searched=explanation.counterfactual_searched or more.counterfactual_searched,
    )


def _sort_maps(explanation: Explanation, methods: Sequence[str]) -> Explanation:
    """The maps in the order of the options."""
    order = {method: index for index, method in enumerate(methods)}
    pairs = sorted(
        zip(explanation.maps, explanation.regions, strict=True), key=lambda pair: order.get(pair[0].method, -1)
    )
    maps, regions = tuple(saliency for saliency, _ in pairs), tuple(region for _, region in pairs)
    return replace(explanation, maps=maps, regions=regions)


def _describe_faces(explained: ExplainedImage) -> Iterator[str]:
    """A line for each face: what its expression looks like, the probability, and the region with most evidence."""
    from mien.apps.cli.results import describe_expression
    from mien.text import format_percent

    name = escape_controls(explained.source)
    if not explained.faces:
        yield f"{name}: no face found"
    for explanation in explained.faces:
        top = explanation.emotions.top
        line = (
            f"{name}: face {explanation.number} {describe_expression(top)}, {format_percent(explanation.emotions[top])}"
        )
        evidence = explanation.regions[0].evidence if explanation.regions else ()
        regions = [region for region in evidence if region.label != "rest"]
        if regions:
            region = max(regions, key=lambda each: each.score)
            target = escape_controls(explanation.target)
            line += f"; {format_percent(region.score)} of the evidence for {target} is at the {region.label}"
        yield line


class TopActivatingFaces:
    """The faces of a data set, and those that activate the channels of a layer most."""

    def __init__(self, source: str, engine: Engine) -> None:
        import numpy as np

        faces = load_with_progress(source).faces
        training = faces.pixels[faces.usage == "Training"]
        pixels = training if len(training) else faces.pixels
        sample = np.random.default_rng(0).permutation(len(pixels))[:_MAX_FACES]
        self._faces: NDArray[np.uint8] = pixels[np.sort(sample)]
        self._engine = engine

    def draw(self, layer: Layer) -> Pixels:
        """The figure of the strongest channels of a layer."""
        from mien.explain import figures

        channels = layer.order[:_CHANNELS]
        best = self._engine.top_activating(self._faces, layer.name, channels, _FACES_OF_CHANNEL)
        return figures.draw_top_activating(layer, self._faces, best)


def _write_folder(
    explained: ExplainedImage,
    folder: Path,
    formats: Sequence[str],
    samples: TopActivatingFaces | None,
    bar: ProgressBar,
) -> None:
    """Write all files into a temporary folder and move them when they are complete. The bar counts the faces."""
    with convert_output_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        # On the same file system as the target, so that files are moved and not copied.
        parent = folder if folder.is_dir() else folder.parent
        with tempfile.TemporaryDirectory(dir=parent, prefix=".mien-") as name:
            staging = Path(name) / "files"
            staging.mkdir()
            _write_image(explained, staging, formats)
            for number, explanation in enumerate(explained.faces, 1):
                face_folder = staging / f"face-{explanation.number}" if len(explained.faces) > 1 else staging
                face_folder.mkdir(exist_ok=True)
                _write_face(explained, explanation, face_folder, formats, samples)
                bar.update(number, len(explained.faces))
            _move_files(staging, folder)


def _move_files(staging: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(staging.rglob("*")):  # sorted: a folder comes before its files
        target = folder / path.relative_to(staging)
        if path.is_dir():
            target.mkdir(exist_ok=True)
        else:
            path.replace(target)


def _write_image(explained: ExplainedImage, folder: Path, formats: Sequence[str]) -> None:
    """The files of the image as a whole."""
    from mien import images
    from mien.draw import draw_readings
    from mien.explain.figures import number_faces
    from mien.explain.page import render_overview

    if "json" in formats:
        values = {**explained.result.to_dict(), "faces": [each.to_dict() for each in explained.faces]}
        text = json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        (folder / "explanation.json").write_text(text, encoding="utf-8")
    if len(explained.faces) == 1:
        return
    annotated = number_faces(draw_readings(explained.pixels, explained.result), explained.faces)
    if explained.faces and "png" in formats:
        images.save_image(annotated, folder / "faces.png")
    if "html" in formats:
        page = render_overview(explained.source, explained.pixels, explained.faces, annotated)
        (folder / WALKTHROUGH).write_text(page, encoding="utf-8")


def _write_face(
    explained: ExplainedImage,
    explanation: Explanation,
    folder: Path,
    formats: Sequence[str],
    samples: TopActivatingFaces | None,
) -> None:
    """The files of one face."""
    import numpy as np

    from mien import images
    from mien.explain.page import render_walkthrough

    layers = explained.select_layers(explanation)
    if "html" in formats:
        page = render_walkthrough(explanation, explained.pixels, [layer.name for layer in layers])
        (folder / WALKTHROUGH).write_text(page, encoding="utf-8")
    if "npz" in formats:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **explanation.arrays())
        (folder / "arrays.npz").write_bytes(buffer.getvalue())
    if "png" in formats:
        for name, figure in _draw_figures(explained, explanation, layers):
            images.save_image(figure, folder / f"{name}.png")
    if "png" in formats and samples is not None:
        for layer in layers:
            if layer.kind not in ("dense", "softmax"):
                images.save_image(samples.draw(layer), folder / f"top-activating-{_file_name(layer.name)}.png")


def _draw_figures(
    explained: ExplainedImage, explanation: Explanation, layers: Sequence[Layer]
) -> Iterator[tuple[str, Pixels]]:
    """File names without suffix, and figures."""
    from mien.explain import figures

    before: Layer | None = None
    for layer in layers:
        is_spatial = len(layer.shape) == 3
        if is_spatial or layer.kind == "pool":
            kind = "pooling" if layer.kind == "pool" else "feature-maps"
            figure = figures.draw_feature_maps(layer, explanation.crop.shape[0], before)
            yield f"{kind}-{_file_name(layer.name)}", figure
        before = layer if is_spatial else before
    if explanation.layers:
        yield "activations", figures.draw_layers(explanation.layers, explanation.crop)
        yield "receptive-fields", figures.draw_receptive_fields(replace(explanation, layers=tuple(layers)))
    yield "softmax", figures.draw_softmax(explanation)
    if explanation.contributions:
        yield "contributions", figures.draw_contributions(explanation)
    if explanation.maps:
        yield "evidence", figures.draw_evidence_maps(explanation, explained.pixels)
    if explanation.kernels is not None:
        yield "kernels", figures.draw_kernels(explanation.kernels)
    if explanation.costs:
        yield "costs", figures.draw_costs(explanation)


def _file_name(name: str) -> str:
    """The name of a layer as a part of a file name on any system."""
    return re.sub(r"[^\w.-]+", "_", name)[:80]
