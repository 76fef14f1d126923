"""The edge of the command line: help, wrong usage, exit statuses, and everything that can end a run."""

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
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

import mien as package
from command import command, environment, mien, write_image, run_process, start_process
from run_folders import write_run
from mien.apps.cli.command_line import COMMANDS, Terminated, run
from mien.apps.cli.command_line import mien as group
from mien.datasets import synthetic
from mien.errors import ModelDamaged
from mien.video.writers import open_writer
from tiny import tiny_model

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"
unix = pytest.mark.skipif(sys.platform == "win32", reason="signals and devices of Unix")


def commands(command=group, path=("mien",)):
    """Every command with its path: mien, mien predict, mien models, mien models pull, ..."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from commands(command.get_command(context, name), (*path, name))


def help_of(path, command):
    with click.Context(command, info_name=" ".join(path)) as context:
        return command.get_help(context)


def examples_in(text):
    block = re.search(r"^\s*Examples:\n((?:\s+\S.*\n?)+?)(?:\s*\n|\Z)", text, re.MULTILINE)
    return [line.strip() for line in block[1].splitlines()] if block else []


ALL = list(commands())
LINES = [line for path, each in ALL for line in examples_in(help_of(path, each))]


#: A recipe whose training takes seconds.
TINY = """
[data]
validation = 14
[net]
width = 4
depth = [1]
[training]
epochs = 1
batch = 32
precision = "float32"
"""


# Help


@pytest.mark.parametrize(("path", "each"), ALL, ids=lambda each: " ".join(each) if isinstance(each, tuple) else "")
def test_every_command_has_examples_of_itself(path, each):
    examples = examples_in(help_of(path, each))
    assert examples
    assert any(" ".join(path) in example for example in examples)


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with the files that the examples name."""
    folder = tmp_path_factory.mktemp("desk")
    for name in ("photo.jpg", "photos/first.jpg", "photos/trip/second.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(EXAMPLES / "astronaut.jpg", folder / name)
    for name in ("portraits.jpg", "group.jpg"):
        shutil.copy(EXAMPLES / "portraits.jpg", folder / name)
    synthetic.write_synthetic(folder / "faces", 210, folders=True)
    (folder / "small.onnx").write_bytes(tiny_model())
    bring_film(folder / "clip.webm")
    (folder / "people.csv").write_text("age\n" + "".join(f"{20 + each % 60}\n" for each in range(210)))
    (folder / "tiny.toml").write_text(TINY)
    for name in ("earlier", "another"):
        write_run(folder / "runs" / name)
    (folder / "space.toml").write_text("[training.learning_rate]\nlow = 0.01\nhigh = 0.1\nlog = true\n")
    (folder / "student.toml").write_text('[data]\nvalidation = 14\n[distillation]\ntargets = "targets/teachers.npz"\n')
    return folder


def bring_film(path):
    """A second of the astronaut, who does not move."""
    pixels = np.asarray(Image.open(EXAMPLES / "astronaut.jpg").convert("RGB").resize((256, 256)))
    with open_writer(path, (256, 256), 8) as out:
        for index in range(8):
            out.write(pixels, index / 8)


def marked(line):
    """Keras takes seconds to begin: the examples that need it run with the other tests of the extra train."""
    return pytest.param(line, marks=pytest.mark.train) if needs_keras(line) else line


def needs_keras(line):
    return any(word in line for word in ("augment-preview", ".h5", "mien train", "mien export", "mien tune"))


@pytest.mark.parametrize("line", [marked(line) for line in dict.fromkeys(LINES)])
def test_the_examples_in_the_help_work(line, desk, monkeypatch, capsys, request):
    monkeypatch.chdir(desk)
    monkeypatch.setenv("MIEN_HOME", str(desk / "home"))
    if needs_keras(line):
        pytest.importorskip("keras", reason="needs the extra train")
    if "runs/first" in line or ".h5" in line:
        bring_run()
    if line.startswith(("mien serve", "mien gradio", "mien streamlit")) and "--print-config" not in line:
        pytest.skip("serves until it is stopped: test_web_server.py, test_gradio.py and test_streamlit_server.py do")
    if line.startswith("mien live") and "--no-window" not in line:
        pytest.skip("opens a window: tests/test_live_window.py does")
    if line.startswith("mien desktop"):
        pytest.skip("opens a window: tests/test_desktop_window.py does")
    if "pull yunet" in line:
        bring_yunet(request.getfixturevalue("yunet_file"))
    if set("|<>") & set(line):
        assert shell(line, desk).returncode == 0
    else:
        assert run(shlex.split(line)[1:]) == 0
        assert capsys.readouterr().out


def bring_yunet(file):
    """The file lies where the example looks for it, and is installed: a pull by address has nothing left to fetch."""
    shutil.copy(file, "face_detection_yunet_2026may.onnx")
    assert run(["models", "pull", "yunet", "--from", str(file)]) == 0


def bring_run():
    """A finished training, unless an example made one before, and its Keras file on its own."""
    from mien.evaluation.calibration import Calibration
    from mien.export import formats, onnx
    from mien.training import checkpoint, networks
    from mien.training.recipe import NetworkSettings, Recipe
    from mien.datasets.splits import DataSettings

    folder, recipe = (
        Path("runs", "first"),
        Recipe(name="first", data=DataSettings(validation=14), net=NetworkSettings(width=4, depth=(1,))),
    )
    model, fitted = (
        networks.build_recipe_network(recipe, "float32"),
        Calibration({"shares": 1.0, "votes": 1.0}, 0.0, 0.2),
    )
    if not folder.exists():
        folder.mkdir(parents=True)
        checkpoint.save_state(folder, model.get_weights(), recipe, [{"epoch": 1}])
        checkpoint.save_weights(folder, model)
    card = onnx.make_card(model, recipe, fitted, "first")
    formats.save_keras(formats.to_plain_keras(model, fitted.temperatures), card, Path("emotion_model.h5"))


def shell(line, folder):
    """A line of shell in which ``mien`` is the mien under test; the status of its last command."""
    if not shutil.which("bash"):
        pytest.skip("needs bash")
    script = f'mien() {{ {shlex.join(command())} "$@"; }}\n{line}'
    return subprocess.run(["bash", "-c", script], cwd=folder, env=environment(), capture_output=True, timeout=60)


def test_the_commands_are_listed_with_whole_sentences(capsys):
    assert mien("--help") == 0
    out = capsys.readouterr().out
    assert all(re.search(rf"^  {name}\s+[A-Z].*\.$", out, re.MULTILINE) for name in COMMANDS)
    assert "..." not in out.partition("Commands:")[2]


def test_version(capsys):
    assert mien("--version") == 0
    assert capsys.readouterr().out == f"mien {package.__version__}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["predict", "--help"], ["models", "pull", "--help"]])
def test_help_loads_nothing_heavy(arguments):
    code = f"import sys; from mien.apps.cli.command_line import run; run({arguments}); print('numpy' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "False"


# Wrong usage


@pytest.mark.parametrize(
    ("arguments", "said"),
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
        (["completion", "tcsh"], "bash"),
    ],
)
def test_wrong_usage_is_two_with_advice(arguments, said, capsys):
    assert mien(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert "Traceback" not in err


def test_a_picture_in_place_of_a_command_is_recognised(tmp_path, capsys):
    assert mien(write_image(tmp_path / "a.png")) == 2
    assert "mien predict " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--detector", "harr"], "Did you mean 'haar'?"), (["--model", "bas"], "Did you mean 'base'?")],
)
def test_an_unknown_detector_or_model_is_wrong_usage(arguments, said, tmp_path, capsys):
    assert run(["predict", str(write_image(tmp_path / "a.png")), *arguments]) == 2
    assert said in capsys.readouterr().err


# The edge


def raising(error):
    def load(*, model, detector):
        raise error

    return load


def test_an_expected_failure_is_one_sentence_and_one(tmp_path, capsys):
    failure = ModelDamaged("the model is cut off", "a whole file was expected", "fetch it again")
    assert mien("predict", tmp_path, load=raising(failure)) == 1
    assert capsys.readouterr().err == "mien: the model is cut off. A whole file was expected. Fetch it again.\n"


def test_an_unexpected_one_is_a_bug_and_says_how_to_see_more(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("MIEN_DEBUG", raising=False)
    assert mien("predict", tmp_path, load=raising(ZeroDivisionError("by nought"))) == 70
    err = capsys.readouterr().err
    assert "ZeroDivisionError: by nought" in err
    assert "MIEN_DEBUG=1" in err
    assert "Traceback" not in err


def test_debugging_shows_the_traceback(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MIEN_DEBUG", "1")
    assert mien("predict", tmp_path, load=raising(ZeroDivisionError("by nought"))) == 70
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_while_loading_is_quiet(tmp_path, capsys):
    assert mien("predict", tmp_path, load=raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("stop", "status"), [(KeyboardInterrupt, 130), (Terminated, 143)])
def test_a_signal_inside_a_lock_is_no_bug(stop, status, tmp_path, capsys):
    def interrupted(**_):
        try:
            raise stop
        finally:
            threading.Lock().release()  # what a lock says when the signal landed in its own code

    assert mien("predict", tmp_path, load=interrupted) == status
    assert capsys.readouterr() == ("", "")


# The same, as real processes


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A folder that takes seconds to read: one photo under 600 names."""
    folder = tmp_path_factory.mktemp("many")
    shutil.copy(EXAMPLES / "astronaut.jpg", folder / "0000.jpg")
    for i in range(1, 600):
        os.link(folder / "0000.jpg", folder / f"{i:04d}.jpg")
    return folder


@unix
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_cleanly(number, status, many, tmp_path):
    file = tmp_path / "out.jsonl"
    with file.open("wb") as out, start_process("predict", many, "--json", "--detector", "none", stdout=out) as running:
        while not file.stat().st_size and running.poll() is None:
            time.sleep(0.01)
        running.send_signal(number)
        err = running.communicate(timeout=20)[1]
    assert (running.returncode, err) == (status, b"")
    lines = file.read_bytes().splitlines(keepends=True)
    assert all(line.startswith(b"{") and line.endswith(b"}\n") for line in lines)
    assert 0 < len(lines) < 600


@unix
def test_a_closed_pipe_is_silent(many):
    done = shell(f"mien predict {many} --json --detector none | head -1; echo ${{PIPESTATUS[0]}}", many)
    line, status = done.stdout.splitlines()
    assert line.startswith(b"{")
    assert status == b"141"
    assert done.stderr == b""


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
def test_a_full_disk_under_stdout_is_said(arguments):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command(*arguments), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert done.stderr.count("\n") == 1


@unix
def test_a_name_that_is_no_text_is_read_and_told(tmp_path):
    name = os.fsencode(tmp_path) + b"/caf\xe9.png"
    shutil.copy(write_image(tmp_path / "a.png"), name)
    done = subprocess.run([*command("predict", "--detector", "none", "--json"), name], capture_output=True, timeout=60)
    assert done.returncode == 0
    assert rb"caf\udce9.png" in done.stdout


@unix
def test_a_whole_prediction_costs_no_more_than_its_promise():
    """Seconds of processor and twice what is promised: this finds a slipped import, on a busy machine too."""
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert run_process("predict", EXAMPLES / "hopper.jpg", "--json").returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime < 1.2


def test_the_extras_of_the_doctor_are_those_of_the_project():
    from mien.apps.cli.doctor import EXTRAS

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(EXTRAS) == set(project["optional-dependencies"]) - {"all", "dev"}
