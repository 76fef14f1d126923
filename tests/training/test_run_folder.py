"""The folder of a run, without Keras: states, locks, what may be written to it, and a full disk."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.datasets.splits import SourceSettings
from mien.errors import ExperimentError, OutputError
from mien.models import resolve_model
from mien.training import checkpoint, run_folder
from mien.training.recipe import NetworkSettings, Recipe, TrainingSettings
from run_folders import make_row, write_run
from tiny import tiny_model

RECIPE = Recipe(net=NetworkSettings(width=4))


def test_runs_are_listed_with_their_states(tmp_path):
    write_run(tmp_path / "b_done")
    write_run(tmp_path / "a_stopped", 2, finished=False)
    write_run(tmp_path / "c_empty", 0, finished=False)
    (tmp_path / "notes").mkdir()
    runs = list(run_folder.list_runs(tmp_path))
    assert [run.name for run in runs] == ["a_stopped", "b_done", "c_empty"]
    assert [run.state for run in runs] == ["stopped", "finished", "empty"]
    assert [run.epochs for run in runs] == [2, 3, 0]
    assert runs[1].best == (0.4, 2)
    assert runs[1].seconds == 90
    assert runs[2].best is None
    (tmp_path / "b_done" / "metrics.json").unlink()  # as after a kill between the weights and the metrics
    assert run_folder.read_run(tmp_path / "b_done").state == "trained"


def test_damaged_run_does_not_hide_the_others(tmp_path):
    write_run(tmp_path / "a")
    write_run(tmp_path / "b")
    (tmp_path / "a" / "recipe.toml").write_text("name = ")
    (tmp_path / "b" / "metrics.json").write_text("[1")
    (tmp_path / "b" / "history.csv").write_text("epoch,loss\n1,much\n")
    assert [run.state for run in run_folder.list_runs(tmp_path)] == ["damaged", "trained"]


def test_run_is_searched_by_name_and_by_path(tmp_path):
    write_run(tmp_path / "first")
    assert run_folder.find_run("first", tmp_path).name == "first"
    assert run_folder.find_run(str(tmp_path / "first"), tmp_path / "elsewhere").name == "first"
    with pytest.raises(ExperimentError, match=r"no run 'frist'.*The runs are first.*Did you mean 'first'"):
        run_folder.find_run("frist", tmp_path)
    with pytest.raises(ExperimentError, match=r"'mien train' starts one"):
        run_folder.find_run("first", tmp_path / "elsewhere")
    with pytest.raises(ExperimentError, match=r"no training run.*recipe.toml"):
        run_folder.read_run(tmp_path)


def test_only_files_of_a_run_are_removed(tmp_path):
    folder = write_run(tmp_path / "first")
    (folder / "notes.txt").write_text("mine")
    (folder / ".mien-0123456789ab.part").write_text("half")
    run_folder.remove_run_files(folder)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"not empty, and has no run.*--force"):
        run_folder.check_folder_is_free(tmp_path, force=False)
    run_folder.check_folder_is_free(tmp_path, force=True)
    run_folder.check_folder_is_free(tmp_path / "new", force=False)
    with pytest.raises(OutputError, match=r"notes.txt' is a file"):
        run_folder.check_folder_is_free(tmp_path / "notes.txt", force=True)


def test_created_folder_is_removed_when_it_remains_empty(tmp_path):
    with run_folder.create_folder(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").is_dir()
    assert list(tmp_path.iterdir()) == []
    with run_folder.create_folder(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "x").touch()
    assert (tmp_path / "a" / "b" / "x").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_folder_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    message = r"cannot be written: Permission denied.*--runs"
    with pytest.raises(OutputError, match=message), run_folder.create_folder(tmp_path / "a"):
        pass


def test_file_in_place_of_a_folder_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot be written"), run_folder.create_folder(tmp_path / "file" / "a"):
        pass


def test_run_folder_is_a_model(tmp_path):
    folder = write_run(tmp_path / "runs" / "first")
    (folder / run_folder.ONNX).write_bytes(tiny_model())
    assert resolve_model(folder) == folder / "model.onnx"


# The lock of a run


LOCK_PROCESS = """
import sys
from pathlib import Path
from mien.training.run_folder import lock_run
with lock_run(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.mark.full
def test_second_process_cannot_lock_a_run(tmp_path):
    folder = write_run(tmp_path / "first", finished=False)
    command = [sys.executable, "-c", LOCK_PROCESS, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout.readline() == b"locked\n"
            assert run_folder.read_run(folder).state == "running"
            message = "Another process trains"
            with pytest.raises(ExperimentError, match=message), run_folder.lock_run(folder):
                pass
        finally:
            other.kill()  # the operating system releases the lock of a process that was killed
    assert run_folder.read_run(folder).state == "stopped"


def test_lock_file_is_removed_after_the_block(tmp_path):
    folder = write_run(tmp_path / "first", finished=False)
    with run_folder.lock_run(folder):
        assert run_folder.is_locked(folder)
    assert not run_folder.is_locked(folder)
    assert not (folder / run_folder.LOCK).exists()


# States


def make_arrays(value, size=100):
    return [np.full(size, value, np.float32)]


def test_previous_state_remains_beside_the_new_one(tmp_path):
    for epoch in (1, 2, 3):
        rows = [make_row(each) for each in range(1, epoch + 1)]
        checkpoint.save_state(tmp_path, make_arrays(epoch), RECIPE, rows)
    assert checkpoint.read_arrays(tmp_path / checkpoint.STATE)[0][0] == 3
    assert checkpoint.read_arrays(tmp_path / checkpoint.PREVIOUS_STATE)[0][0] == 2
    assert not checkpoint.load_state(tmp_path, RECIPE).is_previous
    (tmp_path / checkpoint.STATE).unlink()  # as after a kill between two renames
    state = checkpoint.load_state(tmp_path, RECIPE)
    assert (state.is_previous, len(state.history)) == (True, 2)


def test_two_damaged_states_are_refused(tmp_path):
    for epoch in (1, 2):
        checkpoint.save_state(tmp_path, make_arrays(epoch), RECIPE, [make_row(1)] * epoch)
    for name in (checkpoint.STATE, checkpoint.PREVIOUS_STATE):
        (tmp_path / name).write_bytes(b"PK cut")
    with pytest.raises(ExperimentError, match=r"cannot be read.*--force"):
        checkpoint.load_state(tmp_path, RECIPE)


def test_name_sources_and_epochs_can_change_and_other_settings_cannot(tmp_path):
    checkpoint.save_state(tmp_path, make_arrays(1), RECIPE, [make_row(1)])
    sources = (SourceSettings("elsewhere.csv"),)
    changed = replace(RECIPE, name="other", data=replace(RECIPE.data, sources=sources))
    changed = replace(changed, training=TrainingSettings(epochs=200))
    assert len(checkpoint.load_state(tmp_path, changed).history) == 1
    with pytest.raises(ExperimentError, match=r"another recipe: net.width was 4 and is 5.*--force"):
        checkpoint.load_state(tmp_path, replace(RECIPE, net=NetworkSettings(width=5)))


def test_rows_with_different_columns_are_in_one_table(tmp_path):
    rows = [{"epoch": 1.0}, {"epoch": 2.0, "validation_accuracy": 0.5}]
    checkpoint.save_state(tmp_path, make_arrays(1), RECIPE, rows)
    assert run_folder.read_run(tmp_path).history == tuple(rows)


def test_state_is_a_plain_npz_file(tmp_path):
    checkpoint.save_state(tmp_path, [np.arange(3)], RECIPE, [{"epoch": 1, "loss": 2.0}])
    with np.load(tmp_path / "state.npz", allow_pickle=False) as arrays:
        assert arrays["0000"].tolist() == [0, 1, 2]
    assert (tmp_path / "history.csv").read_text() == "epoch,loss\n1,2.0\n"


LIMITED_PROCESS = """
import resource, sys
from pathlib import Path
import numpy as np
from mien.training import checkpoint
from mien.training.recipe import Recipe
from mien.errors import OutputError
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    checkpoint.save_state(Path(sys.argv[1]), [np.zeros(100_000, np.float32)], Recipe(), [{"epoch": 1}, {"epoch": 2}])
except OutputError as error:
    print(error)
"""


@pytest.mark.full
@pytest.mark.skipif(sys.platform == "win32", reason="limits of Unix")
def test_full_disk_leaves_the_last_state(tmp_path):
    checkpoint.save_state(tmp_path, make_arrays(1), RECIPE, [make_row(1)])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    command = [sys.executable, "-c", LIMITED_PROCESS, tmp_path]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "cannot be written" in process.stdout
    assert "The state after epoch 1 is saved. Make free space" in process.stdout
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert len(checkpoint.load_state(Path(tmp_path), RECIPE).history) == 1
