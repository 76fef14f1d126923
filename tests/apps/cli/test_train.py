"""``mien train`` and ``mien runs``: from the command line to a run's folder, by signals and kills and back again."""

import csv
import io
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from command import command, mien
from run_folders import make_row, write_run
from mien.apps.cli.train import View
from mien.datasets import synthetic
from mien.training import checkpoint, run_folder
from mien.training import recipe as shelf
from mien.training.callbacks import EpochEvent, MessageEvent, StepEvent

unix = pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
#: A net and a plan of a second or two, the same bits each time.
SMALL = ("net.width=4", "net.depth=1,1", "training.batch_size=28", "data.validation=14")
EXACT = ("training.precision=float32", "training.deterministic=true")


def words(*settings, epochs=2):
    return ["--epochs", epochs, *(part for each in (*SMALL, *EXACT, *settings) for part in ("--set", each))]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return synthetic.write_fer2013(tmp_path_factory.mktemp("faces"), 210)


@pytest.fixture(autouse=True)
def desk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))
    return tmp_path


# What needs no Keras


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "a RECIPE or --net is needed"),
        (["drawn", "--resume", "--force"], "one of them"),
        (["drawn", "--resume"], "no run in 'runs/drawn'"),
        (["drawn", "--epochs", "0"], "--epochs"),
        (["drawn", "--name", "a/b"], "no name for a folder"),
        (["drawn", "--name", ".."], "no name for a folder"),
    ],
)
def test_wrong_usage(arguments, said, desk, capsys):
    assert mien("train", *arguments) == 2
    assert said in capsys.readouterr().err
    assert not (desk / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["dravn"], "no recipe 'dravn'. There are base, "),
        (["--net", "resdual"], "Did you mean 'residual'?"),
        (["no.toml"], "no recipe at no.toml"),
        (["drawn"], "does not say where its faces are"),
        (["drawn", "--data", "no.csv"], "no data at "),
        (["drawn", "--data", "odd.csv"], "is not FER2013"),
        (["drawn", "--data", "odd.csv", "--set", "fit.bach=3"], "Did you mean 'training.batch_size'?"),
        (["drawn", "--data", "odd.csv", "--classes", "happy,sat"], "is not FER2013"),
        (["drawn", "--data", "odd.csv", "--classes", "happy,sad,happy"], "names 'happy' twice"),
        (
            ["drawn", "--data", "odd.csv", "--set", "training.batch_size=0"],
            "training.batch_size is 0. A number from 1 to 65,536",
        ),
        (["mine.toml"], "unknown word 'training.epoch'. The keys of [training] are epochs, "),
        (["drawn", "--data", "odd.csv", "--name", "taken"], "not empty, and no run is in it"),
    ],
)
def test_what_cannot_be_is_one_sentence(arguments, said, desk, capsys):
    Path("odd.csv").write_text("a,b\n1,2\n")
    Path("mine.toml").write_text("[training]\nepoch = 3\n")
    (desk / "runs" / "taken").mkdir(parents=True)
    (desk / "runs" / "taken" / "notes.txt").touch()
    assert mien("train", *arguments) == 1
    out, err = capsys.readouterr()
    assert said in err
    assert (out, err.count("\n")) == ("", 1)
    assert [path.name for path in (desk / "runs").rglob("*")] == ["taken", "notes.txt"]


def test_without_keras_the_sentence_has_the_command(data, desk):
    # In a process of its own: here other tests have loaded Keras already.
    hidden = "import sys; sys.modules['keras'] = None; from mien.apps.cli.command_line import run; sys.exit(run(sys.argv[1:]))"
    arguments = [sys.executable, "-c", hidden, "train", "drawn", "--data", str(data)]
    done = subprocess.run(arguments, cwd=desk, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert 'pip install ".[train]"' in done.stderr
    assert not (desk / "runs").exists()


# How it looks


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


STEP = StepEvent(epoch=2, epochs=30, step=300, steps=600, loss=1.25, rate=0.001, seconds=3.0)


def test_plain_lines_where_nobody_watches():
    out = io.StringIO()
    with View(32, out) as view:
        view(MessageEvent("Training in float32"))
        view(STEP)
        view(EpochEvent(row(1), (row(1),)))
        view(EpochEvent(row(2), (row(1), row(2))))
        view(EpochEvent(row(3), (row(1), row(2), row(3))))
    lines = out.getvalue().splitlines()
    assert lines[0] == "Training in float32"
    assert lines[1].split() == ["epoch", "loss", "learned", "held", "out", "rate", "time"]
    assert [line.split()[0] for line in lines[2:]] == ["1", "2", "3"]
    assert [line.endswith("best") for line in lines[2:]] == [False, True, False]
    assert "40.0 %" in lines[3]


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)


def test_on_a_terminal_the_epoch_under_way_is_drawn(monkeypatch, terminal):
    monkeypatch.setenv("COLUMNS", "100")
    out, now = Terminal(), iter(range(0, 1000, 30))
    with View(32, out, clock=lambda: next(now)) as view:
        view(EpochEvent(row(1), (row(1),)))
        view(STEP)
    drawn_ = out.getvalue()
    assert "epoch 2 of 30  ━" in drawn_
    assert "300 of 600 steps" in drawn_
    assert "loss 1.250  rate 0.001  3,200 images/s" in drawn_
    assert "left  best 20.0 % in epoch 1" in drawn_


@pytest.mark.parametrize(("name", "value"), [("TERM", "dumb"), ("JPY_PARENT_PID", "7")])
def test_nothing_is_drawn_where_lines_cannot_be_wiped(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    out = Terminal()
    with View(32, out) as view:
        view(STEP)
        view(EpochEvent(row(1), (row(1),)))
    assert [line.split()[0] for line in out.getvalue().splitlines()] == ["epoch", "1"]


def test_it_fits_a_narrow_terminal(monkeypatch, terminal):
    monkeypatch.setenv("COLUMNS", "40")
    out = Terminal()
    with View(32, out) as view:
        view(STEP)
    assert max(len(line) for line in out.getvalue().splitlines()) < 70  # with what moves the cursor


# Runs


@pytest.fixture
def made(desk):
    write_run(desk / "runs" / "first")
    write_run(desk / "runs" / "second", 2, planned=9, net="vgg", finished=False)
    return desk / "runs"


def test_runs_are_listed(made, capsys):
    assert mien("runs") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["NAME", "first", "second"]
    assert lines[1].split()[1:5] == ["basic", "3", "of", "3"]
    assert "40.0 % in 2" in lines[1]
    assert "50.0 % public" in lines[1]
    assert lines[1].endswith("finished")
    assert lines[2].split()[1:5] == ["vgg", "2", "of", "9"]
    assert lines[2].endswith("stopped")


def test_runs_as_json_and_elsewhere(made, desk, capsys):
    made.rename(desk / "others")
    assert mien("runs", "--runs", "others", "--json") == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["state"], first["best"], first["best_epoch"], first["accuracy"]) == ("finished", 0.4, 2, 0.5)
    assert (second["state"], second["planned"], second["accuracy"]) == ("stopped", 9, None)
    assert mien("runs") == 0
    assert "There are no runs in 'runs' yet" in capsys.readouterr().err


def test_one_run_is_shown(made, capsys):
    assert mien("runs", "show", "second") == 0
    out = capsys.readouterr().out
    assert "second: stopped" in out
    assert "2 of 9, 1:00 of training" in out
    assert "training.epochs" in out
    assert "history.csv" in out
    assert mien("runs", "show", "first", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["recipe"]["net"]["name"] == "basic"
    assert len(told["history"]) == 3


def test_a_run_that_is_not_there(made, capsys):
    assert mien("runs", "show", "frist") == 1
    assert "Did you mean 'first'?" in capsys.readouterr().err
    assert mien("runs", "plot", "first", "-o", "x.pdf") == 2
    assert "does not end in .png" in capsys.readouterr().err
    write_run(made / "third", 0, finished=False)
    assert mien("runs", "plot", "third", "-o", "x.png") == 1
    assert "no whole epoch yet" in capsys.readouterr().err


def test_runs_are_drawn(made, desk, capsys):
    pytest.importorskip("matplotlib")
    assert mien("runs", "plot", "first", "second", "-o", "curves.png") == 0
    assert capsys.readouterr().out == "curves.png\n"
    assert (desk / "curves.png").stat().st_size > 10_000
    assert mien("runs", "plot", "first", "-o", "no/curves.png") == 1
    assert "could not be written" in capsys.readouterr().err


# The whole way


@pytest.mark.train
class TestTraining:
    @pytest.fixture(autouse=True)
    def keras(self):
        pytest.importorskip("tensorflow")

    def test_from_the_command_line_to_a_reading(self, data, desk, capsys):
        arguments = ("--net", "residual", "--data", data, "--name", "first", "--classes", "happy,sad", *words())
        assert mien("train", *arguments) == 0
        out, err = capsys.readouterr()
        assert "% right on PublicTest" in out
        assert "--model runs/first" in out
        assert "TensorFlow" not in err
        assert [line.split()[0] for line in err.splitlines() if line.strip()[:1].isdigit()] == ["1", "2"]
        recipe = checkpoint.read_recipe(desk / "runs" / "first")
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

    def test_several_sources_with_their_own_words(self, desk, capsys):
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
        about = json.loads(Path("runs/mine/environment.json").read_text("utf-8"))
        assert about["data"]["faces"] == 140 + len(other)
        assert about["data"]["splits"]["Training"] == int((faces.usage == "Training").sum()) + len(other)

    @unix
    @pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
    def test_a_signal_saves_first_and_says_how_to_go_on(self, data, desk, number, status):
        line = command("train", "drawn", "--data", data, *words(epochs=500))
        with subprocess.Popen(line, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=desk) as training:
            wait_for(desk / "runs" / "drawn" / "state.npz", training)
            training.send_signal(number)
            out, err = training.communicate(timeout=60)
        assert training.returncode == status, err
        assert out == ""
        assert "saved in runs/drawn. To go on: mien train drawn --data " in err
        assert "Traceback" not in err
        assert run_folder.read_run(desk / "runs" / "drawn").state == "stopped"

    @unix
    def test_a_full_disk_is_one_sentence_and_the_state_stays(self, data, desk, capsys):
        arguments = ["train", "drawn", "--data", data]
        assert mien(*arguments, *words(epochs=1)) == 0
        before = (desk / "runs" / "drawn" / "state.npz").read_bytes()
        capsys.readouterr()
        limited = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); "
        limited += "from mien.apps.cli.command_line import run; sys.exit(run(sys.argv[1:]))"
        line = [sys.executable, "-c", limited, *map(str, [*arguments, *words(epochs=2)])]
        done = subprocess.run(line, capture_output=True, text=True, cwd=desk, timeout=120, check=False)
        assert done.returncode == 1
        assert "'runs/drawn' cannot be written: File too large" in done.stderr
        assert "Make room" in done.stderr
        assert (desk / "runs" / "drawn" / "state.npz").read_bytes() == before
        assert list((desk / "runs" / "drawn").glob("*.part")) == []
        assert mien(*arguments, *words(epochs=2)) == 0

    @unix
    @pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)], ids=lambda kills: f"{kills} times")
    def test_killed_at_random_times_it_ends_as_if_nothing_had_been(self, data, desk, kills):
        """SIGKILL anywhere between the first line of Python and the last figure."""
        line = [*command("train", "drawn", "--data", data, *words("augment.mixup=0.2", epochs=8))]
        began = time.monotonic()
        whole = subprocess.run([*line, "--name", "whole"], cwd=desk, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - began
        assert whole.returncode == 0, whole.stderr
        chance, folder, ended = random.Random(kills), desk / "runs" / "killed", []
        while len(ended) < kills:
            with subprocess.Popen([*line, "--name", "killed"], cwd=desk, stderr=subprocess.PIPE) as training:
                time.sleep(chance.uniform(0.2, 1) * seconds)
                training.kill()
            assert training.returncode in (0, -signal.SIGKILL), training.stderr
            ended.append(training.returncode)
            if training.returncode == 0:  # it came to its end first: another one, so that every kill meets a training
                ended.pop()
                run_folder.remove_run_files(folder)
        last = subprocess.run([*line, "--name", "killed"], cwd=desk, capture_output=True, text=True, check=False)
        assert last.returncode == 0, last.stderr
        same_weights(desk / "runs" / "whole", folder)


def same_weights(one, other):
    pairs = zip(checkpoint.read_arrays(one / "weights.npz"), checkpoint.read_arrays(other / "weights.npz"), strict=True)
    assert all(np.array_equal(*pair) for pair in pairs)
    assert rows(one) == rows(other)


def rows(folder):
    """The history without what the clock decides."""
    with (folder / "history.csv").open(encoding="utf-8", newline="") as file:
        return [{key: value for key, value in each.items() if key != "seconds"} for each in csv.DictReader(file)]


def wait_for(path, process, seconds=90):
    end = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end, f"{path} did not come"
        time.sleep(0.05)


def test_the_recipes_of_courses_are_what_courses_say():
    for name in ("basic", "batchnorm", "batchnorm-pool-norm", "fiveclass"):
        recipe = shelf.load_recipe(name)
        assert (recipe.training.optimizer, recipe.training.batch_size, recipe.training.schedule) == (
            "adam",
            32,
            "plateau",
        )
        assert 30 <= recipe.training.epochs <= 50
        assert recipe.training.early_stopping > recipe.training.patience > 0
        assert not recipe.net.votes
    assert shelf.load_recipe("fiveclass").loss.class_weights
    assert len(shelf.load_recipe("fiveclass").data.classes) == 5
