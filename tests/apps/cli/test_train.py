"""``mien train`` and ``mien runs``: usage, progress, the list of runs, signals and kills."""

import csv
import io
import json
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from command import command, mien
from mien.apps.cli.train import TrainingProgress
from mien.datasets import synthetic
from mien.training import checkpoint, run_folder
from mien.training.callbacks import EpochEvent, MessageEvent, StepEvent
from mien.training.recipe import load_recipe
from run_folders import make_row, write_run

unix = pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
#: A network and a training of a second or two, reproducible to the bit.
SMALL = ("net.width=4", "net.depth=1,1", "training.batch_size=28", "data.validation=14")
EXACT = ("training.precision=float32", "training.deterministic=true")


def make_options(*settings, epochs=2):
    return ["--epochs", epochs, *(part for each in (*SMALL, *EXACT, *settings) for part in ("--set", each))]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return synthetic.write_fer2013(tmp_path_factory.mktemp("faces"), 210)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))
    return tmp_path


# Without Keras


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "a RECIPE or --net is needed"),
        (["synthetic", "--resume", "--force"], "use one of them"),
        (["synthetic", "--resume"], "no run in 'runs/synthetic' to resume"),
        (["synthetic", "--epochs", "0"], "--epochs"),
        (["synthetic", "--name", "a/b"], "no name of a folder"),
        (["synthetic", "--name", ".."], "no name of a folder"),
    ],
)
def test_wrong_usage_is_refused(arguments, message, folder, capsys):
    assert mien("train", *arguments) == 2
    assert message in capsys.readouterr().err
    assert not (folder / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dravn"], "no recipe 'dravn'. A TOML file or one of base, "),
        (["--net", "resdual"], "Did you mean 'residual'?"),
        (["no.toml"], "no recipe at no.toml"),
        (["synthetic"], "--data"),
        (["synthetic", "--data", "no.csv"], "no.csv"),
        (["synthetic", "--data", "odd.csv"], "is not FER2013"),
        (["synthetic", "--data", "odd.csv", "--set", "training.batch_sise=3"], "Did you mean 'training.batch_size'?"),
        (["synthetic", "--data", "odd.csv", "--classes", "happy,sat"], "is not FER2013"),
        (["synthetic", "--data", "odd.csv", "--classes", "happy,sad,happy"], "has 'happy' twice"),
        (
            ["synthetic", "--data", "odd.csv", "--set", "training.batch_size=0"],
            "training.batch_size is 0. A number from 1 to 65,536",
        ),
        (["mine.toml"], "unknown key 'training.epoch'. The keys of [training] are epochs, "),
        (["synthetic", "--data", "odd.csv", "--name", "taken"], "not empty, and has no run"),
    ],
)
def test_invalid_recipe_or_data_is_refused_in_one_line(arguments, message, folder, capsys):
    Path("odd.csv").write_text("a,b\n1,2\n")
    Path("mine.toml").write_text("[training]\nepoch = 3\n")
    (folder / "runs" / "taken").mkdir(parents=True)
    (folder / "runs" / "taken" / "notes.txt").touch()
    assert mien("train", *arguments) == 1
    out, err = capsys.readouterr()
    assert message in err
    assert (out, err.count("\n")) == ("", 1)
    assert [path.name for path in (folder / "runs").rglob("*")] == ["taken", "notes.txt"]


@pytest.mark.full
def test_missing_keras_is_reported_with_the_command_that_installs_it(data, folder):
    # In another process: in this one Keras may be loaded already.
    code = "import sys; sys.modules['keras'] = None; "
    code += "from mien.apps.cli.command_line import run; sys.exit(run(sys.argv[1:]))"
    arguments = [sys.executable, "-c", code, "train", "synthetic", "--data", str(data)]
    process = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, timeout=120)
    assert process.returncode == 1
    assert 'pip install ".[train]"' in process.stderr
    assert not (folder / "runs").exists()


# Progress


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


STEP = StepEvent(epoch=2, epochs=30, step=300, steps=600, loss=1.25, learning_rate=0.001, seconds=3.0)


def test_progress_without_a_terminal_is_one_line_per_epoch():
    out = io.StringIO()
    with TrainingProgress(32, out) as progress:
        progress(MessageEvent("Training in float32"))
        progress(STEP)
        progress(EpochEvent(make_row(1), (make_row(1),)))
        progress(EpochEvent(make_row(2), (make_row(1), make_row(2))))
        progress(EpochEvent(make_row(3), (make_row(1), make_row(2), make_row(3))))
    lines = out.getvalue().splitlines()
    assert lines[0] == "Training in float32"
    assert re.split(r"\s{2,}", lines[1].strip()) == [
        "epoch",
        "loss",
        "val. loss",
        "accuracy",
        "val. accuracy",
        "rate",
        "time",
    ]
    assert [line.split()[0] for line in lines[2:]] == ["1", "2", "3"]
    assert [line.endswith("best") for line in lines[2:]] == [False, True, False]
    assert "40.0 %" in lines[3]


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)


def test_progress_bar_on_a_terminal(monkeypatch, terminal):
    monkeypatch.setenv("COLUMNS", "100")
    out, now = Terminal(), iter(range(0, 1000, 30))
    with TrainingProgress(32, out, clock=lambda: next(now)) as progress:
        progress(EpochEvent(make_row(1), (make_row(1),)))
        progress(STEP)
    text = out.getvalue()
    assert "epoch 2 of 30  ━" in text
    assert "300 of 600 steps" in text
    assert "loss 1.250  rate 0.001  3,200 images/s" in text
    assert "left  best 20.0 % in epoch 1" in text


@pytest.mark.parametrize(("name", "value"), [("TERM", "dumb"), ("JPY_PARENT_PID", "7")])
def test_terminal_without_cursor_control_has_no_progress_bar(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    out = Terminal()
    with TrainingProgress(32, out) as progress:
        progress(STEP)
        progress(EpochEvent(make_row(1), (make_row(1),)))
    assert [line.split()[0] for line in out.getvalue().splitlines()] == ["epoch", "1"]


def test_progress_bar_fits_a_narrow_terminal(monkeypatch, terminal):
    monkeypatch.setenv("COLUMNS", "40")
    out = Terminal()
    with TrainingProgress(32, out) as progress:
        progress(STEP)
    assert max(len(line) for line in out.getvalue().splitlines()) < 70  # with the codes that move the cursor


# mien runs


@pytest.fixture
def runs(folder):
    write_run(folder / "runs" / "first")
    write_run(folder / "runs" / "second", 2, planned=9, net="vgg", finished=False)
    return folder / "runs"


def test_runs_are_listed(runs, capsys):
    assert mien("runs") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["NAME", "first", "second"]
    assert lines[1].split()[1:5] == ["basic", "3", "of", "3"]
    assert "40.0 % in 2" in lines[1]
    assert "50.0 % public" in lines[1]
    assert lines[1].endswith("finished")
    assert lines[2].split()[1:5] == ["vgg", "2", "of", "9"]
    assert lines[2].endswith("stopped")


def test_runs_of_another_folder_are_printed_as_json(runs, folder, capsys):
    runs.rename(folder / "others")
    assert mien("runs", "--runs", "others", "--json") == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["state"], first["best_validation_accuracy"], first["best_epoch"], first["accuracy"]) == (
        "finished",
        0.4,
        2,
        0.5,
    )
    assert (second["state"], second["planned"], second["accuracy"]) == ("stopped", 9, None)
    assert mien("runs") == 0
    assert "There are no runs in 'runs' yet" in capsys.readouterr().err


def test_one_run_is_described(runs, capsys):
    assert mien("runs", "show", "second") == 0
    out = capsys.readouterr().out
    assert "second: stopped" in out
    assert "2 of 9, 1:00 of training" in out
    assert "training.epochs" in out
    assert "history.csv" in out
    assert mien("runs", "show", "first", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["recipe"]["net"]["name"] == "basic"
    assert len(facts["history"]) == 3


def test_missing_or_empty_run_is_refused(runs, capsys):
    assert mien("runs", "show", "frist") == 1
    assert "Did you mean 'first'?" in capsys.readouterr().err
    assert mien("runs", "plot", "first", "-o", "x.pdf") == 2
    assert "does not end in .png" in capsys.readouterr().err
    write_run(runs / "third", 0, finished=False)
    assert mien("runs", "plot", "third", "-o", "x.png") == 1
    assert "no completed epoch yet" in capsys.readouterr().err


def test_runs_are_plotted(runs, folder, capsys):
    pytest.importorskip("matplotlib")
    assert mien("runs", "plot", "first", "second", "-o", "curves.png") == 0
    assert capsys.readouterr().out == "curves.png\n"
    assert (folder / "curves.png").stat().st_size > 10_000
    assert mien("runs", "plot", "first", "-o", "no/curves.png") == 1
    assert "could not be written" in capsys.readouterr().err


# Training


@pytest.mark.train
@pytest.mark.full
class TestTraining:
    @pytest.fixture(autouse=True)
    def keras(self):
        pytest.importorskip("tensorflow")

    def test_trained_model_is_used_by_predict(self, data, folder, capsys):
        arguments = ("--net", "residual", "--data", data, "--name", "first", "--classes", "happy,sad", *make_options())
        assert mien("train", *arguments) == 0
        out, err = capsys.readouterr()
        assert "% on PublicTest (95 %: " in out
        assert "--model runs/first" in out
        assert "TensorFlow" not in err
        assert [line.split()[0] for line in err.splitlines() if line.strip()[:1].isdigit()] == ["1", "2"]
        recipe = checkpoint.read_recipe(folder / "runs" / "first")
        assert (recipe.net.width, recipe.data.classes, recipe.name) == (4, ("happy", "sad"), "first")
        assert recipe.data.sources[0].path == str(data)
        astronaut = Path(__file__).parents[3] / "examples" / "astronaut.jpg"
        from mien.apps.cli.command_line import run

        assert run(["predict", str(astronaut), "--model", "runs/first", "--json"]) == 0
        face = json.loads(capsys.readouterr().out)["faces"][0]
        assert set(face["scores"]) == {"happy", "sad"}
        assert mien("compare", "runs/first") == 0
        assert mien("train", *arguments) == 0
        assert "finished already" in capsys.readouterr().err

    def test_several_sources_with_label_maps(self, folder, capsys):
        faces = synthetic.draw_faces(140, seed=3)
        from mien.datasets.dataset import write_csv

        Path("one").mkdir()
        write_csv(faces, Path("one/fer2013.csv"))
        other = faces.take(faces.labels == 3)
        write_csv(other, Path("two.csv"))
        Path("mine.toml").write_text(
            'name = "mine"\n[[data.sources]]\npath = "one"\n'
            '[[data.sources]]\npath = "two.csv"\nlabels = { 3 = "sad" }\nusage = "Training"\n'
        )
        settings = [part for each in (*SMALL, *EXACT, "data.validation=7") for part in ("--set", each)]
        assert mien("train", "mine.toml", "--epochs", 1, *settings) == 0
        facts = json.loads(Path("runs/mine/environment.json").read_text("utf-8"))
        assert facts["data"]["faces"] == 140 + len(other)
        assert facts["data"]["splits"]["Training"] == int((faces.usage == "Training").sum()) + len(other)

    @unix
    @pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
    def test_signal_saves_the_state_and_prints_the_command_that_resumes(self, data, folder, number, status):
        arguments = command("train", "synthetic", "--data", data, *make_options(epochs=500))
        with subprocess.Popen(
            arguments, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder
        ) as training:
            wait_for(folder / "runs" / "synthetic" / "state.npz", training)
            training.send_signal(number)
            out, err = training.communicate(timeout=60)
        assert training.returncode == status, err
        assert out == ""
        assert "saved in runs/synthetic. To resume: mien train synthetic --data " in err
        assert "Traceback" not in err
        assert run_folder.read_run(folder / "runs" / "synthetic").state == "stopped"

    @unix
    def test_full_disk_leaves_the_state(self, data, folder, capsys):
        arguments = ["train", "synthetic", "--data", data]
        assert mien(*arguments, *make_options(epochs=1)) == 0
        before = (folder / "runs" / "synthetic" / "state.npz").read_bytes()
        capsys.readouterr()
        code = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); "
        code += "from mien.apps.cli.command_line import run; sys.exit(run(sys.argv[1:]))"
        command_line = [sys.executable, "-c", code, *map(str, [*arguments, *make_options(epochs=2)])]
        process = subprocess.run(command_line, capture_output=True, text=True, cwd=folder, timeout=120, check=False)
        assert process.returncode == 1
        assert "'runs/synthetic' cannot be written: File too large" in process.stderr
        assert "Make free space" in process.stderr
        assert (folder / "runs" / "synthetic" / "state.npz").read_bytes() == before
        assert list((folder / "runs" / "synthetic").glob("*.part")) == []
        assert mien(*arguments, *make_options(epochs=2)) == 0

    @unix
    @pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)], ids=lambda kills: f"{kills} kills")
    def test_run_killed_at_random_times_ends_with_the_same_bits(self, data, folder, kills):
        """SIGKILL at any time between the start of Python and the last metric."""
        training = [
            *command("train", "synthetic", "--data", data, *make_options("augment.mixup=0.2", epochs=8)),
            "--name",
        ]
        start = time.monotonic()
        subprocess.run([*training, "whole"], cwd=folder, capture_output=True, check=True)
        seconds = time.monotonic() - start
        rng, killed = random.Random(kills), folder / "runs" / "killed"
        while kills:
            with subprocess.Popen([*training, "killed"], cwd=folder, stderr=subprocess.DEVNULL) as process:
                try:
                    process.wait(timeout=rng.uniform(0.2, 1) * seconds)
                except subprocess.TimeoutExpired:
                    process.kill()
            assert process.returncode in (0, -signal.SIGKILL)
            if process.returncode == 0:  # finished before the kill: start another one
                run_folder.remove_run_files(killed)
            else:
                kills -= 1
        subprocess.run([*training, "killed"], cwd=folder, capture_output=True, check=True)
        assert_same_run(folder / "runs" / "whole", killed)


def assert_same_run(one, other):
    pairs = zip(checkpoint.read_arrays(one / "weights.npz"), checkpoint.read_arrays(other / "weights.npz"), strict=True)
    assert all(np.array_equal(*pair) for pair in pairs)
    assert read_rows(one) == read_rows(other)


def read_rows(folder):
    """The history without the times."""
    with (folder / "history.csv").open(encoding="utf-8", newline="") as file:
        return [{key: value for key, value in each.items() if key != "seconds"} for each in csv.DictReader(file)]


def wait_for(path, process, seconds=90):
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline, f"{path} does not exist"
        time.sleep(0.05)


def test_textbook_recipes_have_the_settings_of_textbooks():
    for name in ("basic", "batchnorm", "batchnorm-pool-norm", "fiveclass"):
        recipe = load_recipe(name)
        assert (recipe.training.optimizer, recipe.training.batch_size, recipe.training.schedule) == (
            "adam",
            32,
            "plateau",
        )
        assert 30 <= recipe.training.epochs <= 50
        assert recipe.training.early_stopping > recipe.training.patience > 0
        assert not recipe.net.votes
    assert load_recipe("fiveclass").loss.class_weights
    assert len(load_recipe("fiveclass").data.classes) == 5
