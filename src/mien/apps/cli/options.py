"""What several commands share: options with shell completion, the engine and data they name, and errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mien.apps.cli.console import (
    ProgressBar,
    convert_output_errors,
    escape_controls,
    is_terminal,
    print_line,
    print_note,
)
from mien.apps.cli.sources import ImageSources
from mien.errors import (
    INSTALL,
    DetectorError,
    ExperimentError,
    MienError,
    MissingExtra,
    ModelMissing,
    OutputError,
    install_command,
    suggest_name,
)

if TYPE_CHECKING:  # the engine imports NumPy and ONNX Runtime, which `--help` does without
    from click.shell_completion import CompletionItem

    from mien.apps.session.engines import EngineLoader
    from mien.datasets.dataset import FaceDataset, LoadedDataset
    from mien.engine import Engine
    from mien.training.recipe import Recipe

Command = TypeVar("Command", bound=Callable[..., Any])


def complete_detectors(context: click.Context, option: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from mien.faces.detectors import detector_names

    return [CompletionItem(name) for name in detector_names() if name.startswith(incomplete)]


def complete_models(context: click.Context, option: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of the models; files where no name fits, because an .onnx file can be named too."""
    from click.shell_completion import CompletionItem

    from mien.models import available_models

    try:
        names = [CompletionItem(name) for name in available_models() if name.startswith(incomplete)]
    except MienError:  # an error message does not belong in the middle of a command line
        names = []
    return names or [CompletionItem(incomplete, type="file")]


def parse_label_map(context: click.Context, option: click.Parameter, pairs: tuple[str, ...]) -> dict[str, str]:
    """``1=surprise`` as an entry of a dictionary; a label that does not exist is a usage error."""
    from mien.labels import EMOTIONS, normalize_label

    label_map = {}
    for pair in pairs:
        theirs, equals, ours = pair.partition("=")
        if not equals:
            raise click.BadParameter(f"'{pair}' has no '='; it should look like 1=surprise")
        if ours and normalize_label(ours) not in EMOTIONS:
            hint = suggest_name(normalize_label(ours), EMOTIONS) or f"There are {', '.join(EMOTIONS)}."
            raise click.BadParameter(f"no label '{ours}'. {hint}")
        label_map[theirs] = ours
    return label_map


# Options


def combine_options(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """Several options as one decorator, in the order of the help."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


SOURCES_ARGUMENT = click.argument(
    "sources",
    nargs=-1,
    required=True,
    metavar="SRC...",
    callback=lambda context, option, values: ImageSources(values),
)
MIN_FACE_OPTION = click.option(
    "--min-face", type=click.IntRange(min=1), metavar="N", help="Smallest face to detect, in pixels."
)
REQUIRE_FACE_OPTION = click.option("--require-face", is_flag=True, help="Exit with 1 if any image has no face.")
DOWNLOAD_OPTIONS = combine_options(
    click.option("--allow-url", is_flag=True, help="Allow http(s) URLs as SRC, and download them."),
    click.option("--max-pixels", type=click.IntRange(min=1), metavar="N", help="Refuse larger images before decoding."),
)
DETECTOR_OPTION = click.option(
    "--detector",
    default="auto",
    metavar="NAME",
    shell_complete=complete_detectors,
    help="haar, yunet, none (the whole image is one face), or auto: yunet if it is installed, else haar.",
)


PRIOR_OPTION = click.option(
    "--prior",
    type=click.Choice(["training", "even"]),
    default="training",
    show_default=True,
    help="Class frequencies that the probabilities assume: those of FER2013, or all equal (even).",
)


def _make_model_option(kinds: str) -> Callable[[Any], Any]:
    return click.option(
        "--model",
        default="base",
        metavar="NAME",
        shell_complete=complete_models,
        help=f"A model from 'mien models', {kinds}. Default: base.",
    )


MODEL_OPTION = _make_model_option("or an .onnx file")

#: The engine of the commands that read no Keras file.
ENGINE_OPTIONS = combine_options(DETECTOR_OPTION, MODEL_OPTION, PRIOR_OPTION)

#: For the commands that also take what a training leaves behind.
MODEL_OR_RUN_OPTION = _make_model_option("an .onnx, .keras or .h5 file, or the folder of a training run")

#: For Keras files that mien did not write: they carry neither labels nor input scale.
KERAS_OPTIONS = combine_options(
    click.option(
        "--labels", metavar="A,B,...", help="For a Keras file without a card: its labels, in the order of its outputs."
    ),
    click.option(
        "--scale", type=click.Choice(["0-1", "0-255", "-1-1"]), help="For a Keras file without a card: its input range."
    ),
)

LABEL_MAP_OPTION = click.option(
    "--label-map",
    multiple=True,
    callback=parse_label_map,
    metavar="NAME=LABEL",
    help="Label of a folder name or number, as 1=surprise; NAME= excludes it. May be repeated.",
)
DATA_OPTION = click.option(
    "--data", required=True, metavar="SRC", help="Labelled faces: fer2013.csv, an .npz, or a folder."
)


class SplitChoice(click.Choice[str]):
    """The name of a split; FER2013's own names PublicTest and PrivateTest are accepted."""

    def __init__(self) -> None:
        super().__init__(["public", "private", "validation"])

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> str:
        names = {"publictest": "public", "privatetest": "private"}
        return super().convert(names.get(str(value).lower(), value), parameter, context)


SPLIT_OPTION = click.option(
    "--split",
    type=SplitChoice(),
    default="public",
    show_default=True,
    help="PublicTest, PrivateTest, or the validation faces of the training.",
)
OUT_FOLDER_OPTION = click.option(
    "-o", "--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Output folder."
)


def make_png_option(text: str, *, required: bool = True) -> Callable[[Command], Command]:
    """-o: the path of a .png file."""

    def check(context: click.Context, option: click.Parameter, path: Path | None) -> Path | None:
        if path and path.suffix.lower() != ".png":
            raise click.BadParameter(f"'{path}' does not end in .png")
        return path

    kind = click.Path(path_type=Path, dir_okay=False)
    return click.option("-o", "--out", required=required, type=kind, callback=check, help=text)


def write_png(path: Path, content: bytes) -> None:
    """Write the file and print its path."""
    with convert_output_errors(path):
        path.write_bytes(content)
    print_line(escape_controls(str(path)))


# Models

KERAS_SUFFIXES = (".keras", ".h5", ".hdf5")


def is_keras_file(model: str) -> bool:
    return Path(model).suffix.lower() in KERAS_SUFFIXES


def load_engine(*, model: str, detector: str, prior: str = "training") -> Engine:
    """The engine for a model name or file; a Keras file is converted to ONNX first."""
    from mien.engine import Engine

    return Engine.load(model=convert_keras_model(model), detector=detector, prior=prior)


def open_engine(
    context: click.Context,
    model: str,
    detector: str,
    prior: str,
    labels: str | None = None,
    scale: str | None = None,
) -> Engine:
    """The engine that a command's options name; an unknown model or detector is a usage error."""
    offer_yunet(detector)
    load: EngineLoader = context.obj  # the loader of the command line; tests pass their own
    try:
        return load(model=convert_keras_model(model, labels, scale), detector=detector, prior=prior)
    except (DetectorError, ModelMissing) as error:
        raise click.UsageError(escape_controls(str(error)), context) from error


def locate_model(context: click.Context, model: str, labels: str | None = None, scale: str | None = None) -> Path:
    """The model's ONNX file; a Keras file is converted first, and an unknown name is a usage error."""
    from mien.models import resolve_model

    if not is_keras_file(model):
        reject_keras_options(context, labels, scale)
    try:
        return resolve_model(convert_keras_model(model, labels, scale))
    except ModelMissing as error:
        raise click.UsageError(str(error), context) from error


def locate_models(context: click.Context, models: Sequence[str], labels: str | None, scale: str | None) -> list[Path]:
    """The ONNX files of several models; ``labels`` and ``scale`` apply to the Keras files without a card among them."""
    if models and not any(map(is_keras_file, models)):
        reject_keras_options(context, labels, scale)
    options = [(None, None) if _has_card(model) else (labels, scale) for model in models]
    return [locate_model(context, model, *option) for model, option in zip(models, options, strict=True)]


def _has_card(model: str) -> bool:
    if not is_keras_file(model):
        return True
    from mien.export.keras_import import read_card

    return read_card(Path(model)) is not None


def reject_keras_options(context: click.Context, labels: str | None, scale: str | None) -> None:
    if labels or scale:
        raise click.UsageError("--labels and --scale are for Keras files; an .onnx file contains both.", context)


def convert_keras_model(model: str, labels: str | None = None, scale: str | None = None) -> str:
    """The path of the ONNX file made from a Keras file, made once and stored in mien's cache; other models as named."""
    if not is_keras_file(model):
        return model
    names = [name.strip() for name in (labels or "").split(",") if name.strip()]
    with convert_import_errors():
        from mien.export.keras_import import convert_to_onnx

        if is_terminal(sys.stderr):
            print_note(f"'{escape_controls(model)}' is a Keras file: converting it to ONNX, once ...")
        return str(convert_to_onnx(Path(model), labels=names, scale=scale or ""))


def offer_yunet(detector: str) -> None:
    """Ask whether to download YuNet, where ``auto`` would choose Haar without it.

    Only a person is asked: input, output and messages have to be a terminal. "never" is stored in mien's cache.
    """
    from mien.models import cache_folder, find_model_file
    from mien.models.registry import pull_model

    marker = cache_folder() / "never-yunet"
    is_interactive = all(map(is_terminal, (sys.stdin, sys.stdout, sys.stderr)))
    if detector != "auto" or not is_interactive or os.path.lexists(marker) or find_model_file("yunet"):
        return
    print_note("The face detector YuNet is better and three times as fast as Haar: 230 kB, MIT, from its publisher.")
    answer = click.prompt("Download it now?", type=click.Choice(["y", "n", "never"]), default="y", err=True)
    try:
        if answer == "y":
            pull_model("yunet", timeout=5.0, deadline=60.0)
        elif answer == "never":
            marker.parent.mkdir(parents=True, exist_ok=True)
            marker.touch()
    except (MienError, OSError) as error:
        print_note(escape_controls(f"{error} Haar is used."))


#: From this many seconds on, a run is one that YuNet would have made much shorter.
SLOW_RUN_SECONDS = 1.0


def suggest_yunet(seconds: float) -> None:
    """Recommend the faster detector after the first slow run; an empty file in mien's cache marks it as done."""
    from mien.models import cache_folder

    marker = cache_folder() / "hint-yunet"
    if seconds < SLOW_RUN_SECONDS or os.path.lexists(marker):
        return
    print_note("Faces were detected with haar. 'mien models pull yunet' downloads a faster and better detector, once.")
    try:
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
    except OSError:
        pass  # a folder that is not writable costs a repeated hint and nothing else


# Data sets


def load_with_progress(src: str, label_map: Mapping[str, str] | None = None) -> LoadedDataset:
    """The faces at SRC, with a progress bar."""
    with convert_import_errors(), ProgressBar() as bar:
        from mien.datasets import loading

        return loading.load_dataset(src, labels=label_map, progress=bar.update)


def load_recipe_faces(recipe: Recipe, data: str | None = None) -> FaceDataset:
    """The training faces of a recipe, with a progress bar; ``data`` replaces its sources."""
    from mien.datasets.loading import load_training_faces

    with ProgressBar() as bar:
        return load_training_faces(recipe.data, recipe.folder, data, bar.update)


def check_new_file(path: Path, force: bool) -> None:
    if path.exists() and not force:
        raise OutputError(f"'{path}' exists already", "a new file was expected", "Name another, or use --force")


# Errors

#: Packages of the extras, by the name they are imported under.
_PACKAGES = {
    "matplotlib": "lab",
    "sklearn": "lab",
    "pandas": "lab",
    "onnx": "lab",
    "filelock": "lab",
    "tomli_w": "lab",
} | dict.fromkeys(("keras", "tensorflow", "tf2onnx", "optuna"), "train")
#: The backends of Keras; mien.training, which knows more of them, needs Keras itself.
BACKENDS = ("tensorflow", "torch", "jax")


@contextmanager
def convert_import_errors() -> Iterator[None]:
    """Convert the import error of a missing extra or Keras backend into an error that names the install command."""
    try:
        yield
    except ModuleNotFoundError as missing:
        name = (missing.name or "").partition(".")[0]
        if name in (*BACKENDS[1:], "openvino"):
            raise _missing_backend(os.environ.get("KERAS_BACKEND") or name) from None
        if name not in _PACKAGES:
            raise
        extra = _PACKAGES[name]
        happened = f"{missing.name} is not installed"
        raise MissingExtra(happened, f"This needs the extra '{extra}'", install_command(extra)) from None
    except ValueError as error:
        message, _, backend = str(error).partition(" : ")
        if message != "Unable to import backend":  # Keras's own message
            raise
        raise _missing_backend(backend) from None


def _missing_backend(backend: str) -> ExperimentError:
    """The error for a Keras backend that is unknown or not installed."""
    expected = f"training runs on {', '.join(BACKENDS)}"
    if backend in BACKENDS:
        remedy = f"{INSTALL.format(what=backend)}, or set KERAS_BACKEND={BACKENDS[0]}"
        return ExperimentError(f"Keras is to run on {backend}, which is not installed", expected, remedy)
    remedy = suggest_name(backend, BACKENDS) or f"Set KERAS_BACKEND={BACKENDS[0]}"
    return ExperimentError(f"Keras is to run on '{backend}'", expected, remedy)
