"""The command line as a whole: help, its examples, wrong usage, exit statuses, and what ends a run."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
import tomllib
from contextlib import ExitStack
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

import mien as package
from command import command, environment, mien, run_process, start_process, write_image
from mien.apps.cli.command_line import COMMANDS, Terminated, run
from mien.apps.cli.command_line import mien as mien_group
from mien.datasets import synthetic
from mien.datasets.loading import load_faces
from mien.errors import ModelDamaged
from mien.training.targets import SoftTargets
from mien.video.writers import open_writer
from run_folders import write_run
from tiny import tiny_model

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"
unix = pytest.mark.skipif(sys.platform == "win32", reason="signals and devices of Unix")


def list_commands(command=mien_group, path=("mien",)):
    """Every command with its path: mien, mien predict, mien models, mien models pull, ..."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from list_commands(command.get_command(context, name), (*path, name))


def format_help(path, command):
    with click.Context(command, info_name=" ".join(path)) as context:
        return command.get_help(context)


def find_examples(help_text):
    block = re.search(r"^\s*Examples:\n((?:\s+\S.*\n?)+?)(?:\s*\n|\Z)", help_text, re.MULTILINE)
    return [line.strip() for line in block[1].splitlines()] if block else []


ALL_COMMANDS = list(list_commands())
EXAMPLE_LINES = [line for path, each in ALL_COMMANDS for line in find_examples(format_help(path, each))]


# Help


def test_every_command_has_examples_of_itself():
    for path, each in ALL_COMMANDS:
        assert any(" ".join(path) in line for line in find_examples(format_help(path, each))), path


def test_the_table_of_commands_has_the_short_help_of_each():
    summaries = {path[1]: each.get_short_help_str(200) for path, each in ALL_COMMANDS if len(path) == 2}
    assert summaries == COMMANDS


def test_the_help_lists_the_commands_in_groups(capsys):
    assert mien("--help") == 0
    out = capsys.readouterr().out
    for name, summary in COMMANDS.items():
        assert re.search(rf"^  {name}\s+{re.escape(summary)}$", out, re.MULTILINE), name
    titles = re.findall(r"^(\w[\w ]*):$", out, re.MULTILINE)
    assert titles == ["Options", "Read", "Explain", "Train and measure", "Serve", "Maintain"]


def test_version(capsys):
    assert mien("--version") == 0
    assert capsys.readouterr().out == f"mien {package.__version__}\n"


def test_help_imports_nothing_heavy():
    program = """
import sys
from mien.apps.cli.command_line import run
for arguments in (["--version"], ["--help"], ["predict", "--help"], ["models", "pull", "--help"]):
    run(arguments)
    print("HEAVY", [name for name in ("numpy", "cv2", "onnxruntime", "rich", "jinja2") if name in sys.modules])
"""
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert [line for line in out.splitlines() if line.startswith("HEAVY")] == ["HEAVY []"] * 4


# Examples

#: A recipe whose training takes seconds.
TINY_RECIPE = """
[data]
validation = 14
[net]
width = 4
depth = [1]
[training]
epochs = 1
batch_size = 32
precision = "float32"
"""


@pytest.fixture(scope="module")
def examples_folder(tmp_path_factory):
    """A folder with the files that the examples name."""
    folder = tmp_path_factory.mktemp("examples")
    for name in ("photo.jpg", "photos/first.jpg", "photos/trip/second.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(EXAMPLES / "astronaut.jpg", folder / name)
    for name in ("portraits.jpg", "group.jpg"):
        shutil.copy(EXAMPLES / "portraits.jpg", folder / name)
    synthetic.write_synthetic(folder / "faces", 210, folders=True)
    (folder / "small.onnx").write_bytes(tiny_model())
    write_video(folder / "clip.webm")
    (folder / "people.csv").write_text("age\n" + "".join(f"{20 + row % 60}\n" for row in range(210)))
    (folder / "tiny.toml").write_text(TINY_RECIPE)
    for name in ("earlier", "another"):
        write_run(folder / "runs" / name)
    for name in ("folds.npz", "others.npz"):
        write_out_of_fold_predictions(folder / name, load_faces(folder / "faces"))
    (folder / "space.toml").write_text("[training.learning_rate]\nlow = 0.01\nhigh = 0.1\nlog = true\n")
    (folder / "student.toml").write_text('[data]\nvalidation = 14\n[distillation]\ntargets = "targets/teachers.npz"\n')
    return folder


def write_out_of_fold_predictions(path, faces):
    """The labels of the faces as their predictions."""
    scores = np.eye(len(faces.classes), dtype=np.float32)[faces.labels]
    facts = {"classes": list(faces.classes), "folds": 2}
    path.write_bytes(SoftTargets.from_predictions(faces.pixels, scores, None, facts).to_bytes())


def write_video(path):
    """One second of a still portrait."""
    pixels = np.asarray(Image.open(EXAMPLES / "astronaut.jpg").convert("RGB").resize((256, 256)))
    with open_writer(path, (256, 256), 8) as writer:
        for index in range(8):
            writer.write(pixels, index / 8)


def needs_keras(line):
    return any(word in line for word in ("augment-preview", ".h5", "mien train", "mien export", "mien tune", "--folds"))


def is_interactive(line):
    """Servers run until they are stopped, and windows until they are closed; both have tests of their own."""
    if line.startswith("mien live"):
        return "--no-window" not in line
    return line.startswith(("mien serve", "mien gradio", "mien streamlit", "mien desktop")) and "--print" not in line


@pytest.mark.full
@pytest.mark.parametrize(
    "line",
    [
        pytest.param(line, marks=pytest.mark.train) if needs_keras(line) else line
        for line in dict.fromkeys(EXAMPLE_LINES)
        if not is_interactive(line)
    ],
)
def test_the_examples_of_the_help_run(line, examples_folder, monkeypatch, capsys, request):
    monkeypatch.chdir(examples_folder)
    monkeypatch.setenv("MIEN_HOME", str(examples_folder / "home"))
    if needs_keras(line):
        pytest.importorskip("keras", reason="needs the extra train")
    if "runs/first" in line or ".h5" in line:
        write_finished_run()
    if "--folds" in line:
        write_fold_runs()
    if "pull yunet" in line:
        install_yunet(request.getfixturevalue("yunet_file"))
    if set("|<>") & set(line):
        assert run_shell(line, examples_folder).returncode == 0
    else:
        assert run(shlex.split(line)[1:]) == 0
        assert capsys.readouterr().out


def install_yunet(file):
    """Copy the file to where the example expects it, and install it: a pull has nothing left to download."""
    shutil.copy(file, "face_detection_yunet_2026may.onnx")
    assert run(["models", "pull", "yunet", "--from", str(file)]) == 0


def write_finished_run():
    """The folder of a finished training, unless an example has written it, and its network as a Keras file."""
    from exported_networks import DECISION
    from mien.datasets.splits import DataSettings
    from mien.evaluation.calibration import Calibration
    from mien.export import formats, onnx
    from mien.training import checkpoint, networks
    from mien.training.recipe import NetworkSettings, Recipe

    folder, recipe = (
        Path("runs", "first"),
        Recipe(name="first", data=DataSettings(validation=14), net=NetworkSettings(width=4, depth=(1,))),
    )
    model, fitted = (
        networks.build_recipe_network(recipe, "float32"),
        Calibration({"label": 1.0, "votes": 1.0}, 0.0, 0.2, DECISION),
    )
    if not folder.exists():
        folder.mkdir(parents=True)
        checkpoint.save_state(folder, model.get_weights(), recipe, [{"epoch": 1}])
        checkpoint.save_weights(folder, model)
    card = onnx.make_card(model, recipe, fitted, "first")
    plain = formats.to_plain_keras(*onnx.add_decision_head(model, fitted, recipe.data.classes))
    formats.save_keras(plain, card, Path("emotion_model.h5"))


def write_fold_runs():
    """Finished runs of two folds."""
    from exported_networks import write_finished_run
    from mien.datasets.splits import DataSettings
    from mien.training.recipe import NetworkSettings, Recipe

    for fold in (1, 2):
        data, net = DataSettings(validation=0, folds=2, fold=fold), NetworkSettings(width=4, depth=(1,))
        write_finished_run(Path("runs", f"teacher-{fold}"), Recipe(name=f"teacher-{fold}", data=data, net=net))


def run_shell(line, folder):
    """Run a line of shell in which ``mien`` is the mien under test."""
    if not shutil.which("bash"):
        pytest.skip("needs bash")
    script = f'mien() {{ {shlex.join(command())} "$@"; }}\n{line}'
    return subprocess.run(["bash", "-c", script], cwd=folder, env=environment(), capture_output=True, timeout=60)


# Wrong usage


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Usage: mien"),
        (["predict"], "SRC"),
        (["predit", "x.jpg"], "Did you mean 'predict'?"),
        (["nonsense"], "The commands are: predict"),
        (["predict", "x.jpg", "--jsn"], "--jsn"),
        (["predict", "x.jpg", "--min-face", "0"], "--min-face"),
        (["predict", "x.jpg", "--jobs", "many"], "--jobs"),
        (["predict", "https://example.org/x.jpg"], "--allow-url"),
        (["predict", "x.jpg", "--json", "--csv", "-"], "stdout"),
        (["predict", "x.jpg", "--csv", "y.JPG"], "overwrite the image"),
        (["predict", "x.jpg", "--labels", "a,b"], "for Keras files"),
        (["completion", "tcsh"], "bash"),
    ],
)
def test_wrong_usage_has_status_2_and_advice(arguments, message, capsys):
    assert mien(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert "Traceback" not in err


def test_a_file_in_place_of_a_command_is_recognised(tmp_path, capsys):
    assert mien(write_image(tmp_path / "a.png")) == 2
    assert "mien predict " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [(["--detector", "harr"], "Did you mean 'haar'?"), (["--model", "bas"], "Did you mean 'base'?")],
)
def test_an_unknown_detector_or_model_is_a_usage_error(arguments, suggestion, tmp_path, capsys):
    assert run(["predict", str(write_image(tmp_path / "a.png")), *arguments]) == 2
    assert suggestion in capsys.readouterr().err


# Errors


def raise_on_load(error):
    def load(*, model, detector, prior="training"):
        raise error

    return load


def test_a_foreseen_error_is_one_message_and_status_1(tmp_path, capsys):
    error = ModelDamaged("the model is cut off", "a complete file was expected", "download it again")
    assert mien("predict", tmp_path, load=raise_on_load(error)) == 1
    assert capsys.readouterr().err == "mien: the model is cut off. A complete file was expected. Download it again.\n"


def test_an_unexpected_error_is_a_bug_with_advice_and_status_70(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("MIEN_DEBUG", raising=False)
    assert mien("predict", tmp_path, load=raise_on_load(ZeroDivisionError("by zero"))) == 70
    err = capsys.readouterr().err
    assert "ZeroDivisionError: by zero" in err
    assert "MIEN_DEBUG=1" in err
    assert "Traceback" not in err
    monkeypatch.setenv("MIEN_DEBUG", "1")
    assert mien("predict", tmp_path, load=raise_on_load(ZeroDivisionError("by zero"))) == 70
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_prints_nothing_and_has_status_130(tmp_path, capsys):
    assert mien("predict", tmp_path, load=raise_on_load(KeyboardInterrupt())) == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("signal_error", "status"), [(KeyboardInterrupt, 130), (Terminated, 143)])
def test_a_signal_inside_a_lock_is_no_bug(signal_error, status, tmp_path, capsys):
    def load(**_):
        try:
            raise signal_error
        finally:
            threading.Lock().release()  # the lock's own error hides the signal

    assert mien("predict", tmp_path, load=load) == status
    assert capsys.readouterr() == ("", "")


# Processes


@pytest.fixture(scope="module")
def many_images(tmp_path_factory):
    """A folder that takes seconds to read: one photo under 600 names."""
    folder = tmp_path_factory.mktemp("many")
    shutil.copy(EXAMPLES / "astronaut.jpg", folder / "0000.jpg")
    for number in range(1, 600):
        os.link(folder / "0000.jpg", folder / f"{number:04d}.jpg")
    return folder


@unix
@pytest.mark.full
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_after_a_complete_line(number, status, many_images, tmp_path):
    file = tmp_path / "out.jsonl"
    with (
        file.open("wb") as out,
        start_process("predict", many_images, "--json", "--detector", "none", stdout=out) as process,
    ):
        while not file.stat().st_size and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(number)
        err = process.communicate(timeout=20)[1]
    assert (process.returncode, err) == (status, b"")
    lines = file.read_bytes().splitlines(keepends=True)
    assert all(line.startswith(b"{") and line.endswith(b"}\n") for line in lines)
    assert 0 < len(lines) < 600


@unix
@pytest.mark.full
def test_a_closed_pipe_ends_a_run_without_a_message(many_images):
    line = "mien predict . --json --detector none | head -1; echo ${PIPESTATUS[0]}"
    process = run_shell(line, many_images)
    result, status = process.stdout.splitlines()
    assert result.startswith(b"{")
    assert status == b"141"
    assert process.stderr == b""


@pytest.mark.full
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["predict", EXAMPLES / "hopper.jpg", "--json"],
        ["predict", EXAMPLES / "hopper.jpg"],
        ["predict", EXAMPLES / "hopper.jpg", "--csv", "-"],
        ["predict", EXAMPLES / "hopper.jpg", "--csv", "/dev/full"],
    ],
)
def test_a_full_disk_is_reported(arguments):
    with Path("/dev/full").open("w") as full:
        process = subprocess.run(command(*arguments), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert process.returncode == 1
    assert "No space left on device" in process.stderr
    assert process.stderr.count("\n") == 1


@unix
@pytest.mark.full
def test_a_file_name_that_is_no_text_is_read_and_printed(tmp_path):
    name = os.fsencode(tmp_path) + b"/caf\xe9.png"
    shutil.copy(write_image(tmp_path / "a.png"), name)
    arguments = [*command("predict", "--detector", "none", "--json"), name]
    process = subprocess.run(arguments, capture_output=True, timeout=60)
    assert process.returncode == 0
    assert rb"caf\udce9.png" in process.stdout


@unix
def test_a_prediction_stays_within_twice_its_time_budget():
    """Seconds of the processor, not of the clock: this finds an accidental import, on a busy machine too."""
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert run_process("predict", EXAMPLES / "hopper.jpg", "--json").returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime < 1.2


def test_doctor_checks_the_extras_of_the_project():
    from mien.apps.cli.doctor import EXTRAS

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(EXTRAS) == set(project["optional-dependencies"]) - {"all", "dev"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes of Unix")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.full
@pytest.mark.parametrize("opened", [False, True])
def test_a_pipe_to_which_nothing_is_written_does_not_keep_the_command(tmp_path, number, status, opened):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with ExitStack() as stack:
        if opened:
            stack.callback(os.close, os.open(path, os.O_RDWR))
        process = stack.enter_context(start_process("predict", path, "--json", stdout=subprocess.PIPE))
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(4)  # it waits for the pipe
        process.send_signal(number)
        assert process.wait(10) == status
