"""A run's folder without Keras: what state it is in, when it may be written to, and what a full disk leaves."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from made_runs import made_run, row
from mien.datasets.splits import SourceSettings
from mien.errors import ExperimentError, OutputError
from mien.training import checkpoint, run_folder
from mien.training.recipe import NetworkSettings, Recipe, TrainingSettings
from mien.training.run_lock import is_locked, lock_run

RECIPE = Recipe(net=NetworkSettings(width=4))


def test_a_finished_run_and_one_that_was_stopped(tmp_path):
    made_run(tmp_path / "b_done")
    made_run(tmp_path / "a_begun", 2, finished=False)
    made_run(tmp_path / "c_empty", 0, finished=False)
    (tmp_path / "notes").mkdir()
    found = list(run_folder.list_runs(tmp_path))
    assert [run.name for run in found] == ["a_begun", "b_done", "c_empty"]
    assert [run.state for run in found] == ["stopped", "finished", "empty"]
    assert [run.epochs for run in found] == [2, 3, 0]
    assert found[1].best == (0.4, 2)
    assert found[1].seconds == 90
    assert found[2].best is None
    (tmp_path / "b_done" / "metrics.json").unlink()  # killed while it was finishing
    assert run_folder.read_run(tmp_path / "b_done").state == "trained"


def test_a_run_that_cannot_be_read_is_damaged_and_does_not_hide_the_others(tmp_path):
    made_run(tmp_path / "a")
    made_run(tmp_path / "b")
    (tmp_path / "a" / "recipe.toml").write_text("name = ")
    (tmp_path / "b" / "metrics.json").write_text("[1")
    (tmp_path / "b" / "history.csv").write_text("epoch,loss\n1,much\n")
    assert [run.state for run in run_folder.list_runs(tmp_path)] == ["damaged", "trained"]


def test_an_old_run_is_read_by_its_json(tmp_path):
    (tmp_path / "recipe.json").write_text('{"name": "old", "net": {"width": 9}}')
    assert run_folder.read_run(tmp_path).recipe.net.width == 9


def test_a_run_is_found_by_name_and_by_path(tmp_path):
    made_run(tmp_path / "first")
    assert run_folder.find_run("first", tmp_path).name == "first"
    assert run_folder.find_run(str(tmp_path / "first"), tmp_path / "elsewhere").name == "first"
    with pytest.raises(ExperimentError, match=r"no run 'frist'.*There are first.*Did you mean 'first'"):
        run_folder.find_run("frist", tmp_path)
    with pytest.raises(ExperimentError, match=r"'mien train' makes one"):
        run_folder.find_run("first", tmp_path / "elsewhere")
    with pytest.raises(ExperimentError, match=r"no training run.*recipe.toml"):
        run_folder.read_run(tmp_path)


def test_only_what_a_run_wrote_is_cleared(tmp_path):
    folder = made_run(tmp_path / "first")
    (folder / "notes.txt").write_text("mine")
    (folder / ".mien-0123456789ab.part").write_text("half")
    run_folder.remove_run_files(folder)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_other_peoples_folders_are_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"not empty, and no run is in it.*--force"):
        run_folder.check_folder_is_free(tmp_path, force=False)
    run_folder.check_folder_is_free(tmp_path, force=True)
    run_folder.check_folder_is_free(tmp_path / "new", force=False)
    with pytest.raises(OutputError, match=r"notes.txt' is a file"):
        run_folder.check_folder_is_free(tmp_path / "notes.txt", force=True)


def test_a_folder_is_made_and_gone_again_if_nothing_came(tmp_path):
    with run_folder.create_folder(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").is_dir()
    assert list(tmp_path.iterdir()) == []
    with run_folder.create_folder(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "x").touch()
    assert (tmp_path / "a" / "b" / "x").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_one_sentence(tmp_path):
    tmp_path.chmod(0o500)
    with (
        pytest.raises(OutputError, match=r"cannot be written: Permission denied.*--runs"),
        run_folder.create_folder(tmp_path / "a"),
    ):
        pass


def test_a_place_that_is_no_folder_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot be written"), run_folder.create_folder(tmp_path / "file" / "a"):
        pass


# The lock of a run


LOCK_PROCESS = """
import sys
from pathlib import Path
from mien.training.run_lock import lock_run
with lock_run(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_cannot_lock_a_run(tmp_path):
    folder = made_run(tmp_path / "first", finished=False)
    command = [sys.executable, "-c", LOCK_PROCESS, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout.readline() == b"locked\n"
            assert run_folder.read_run(folder).state == "running"
            with pytest.raises(ExperimentError, match="Another process trains"), lock_run(folder):
                pass
        finally:
            other.kill()  # the operating system releases the lock of a process that was killed
    assert run_folder.read_run(folder).state == "stopped"
    with lock_run(folder):
        assert is_locked(folder)
    assert not is_locked(folder)
    assert not (folder / ".training").exists()


# States


def state(value, size=100):
    return [np.full(size, value, np.float32)]


def test_the_state_before_stays_beside_the_new_one(tmp_path):
    for epoch in (1, 2, 3):
        checkpoint.save_state(tmp_path, state(epoch), RECIPE, [row(each) for each in range(1, epoch + 1)])
    assert checkpoint.read_arrays(tmp_path / checkpoint.STATE)[0][0] == 3
    assert checkpoint.read_arrays(tmp_path / checkpoint.PREVIOUS_STATE)[0][0] == 2
    assert not checkpoint.is_damaged(tmp_path)
    (tmp_path / checkpoint.STATE).unlink()  # killed between two renames
    assert checkpoint.is_damaged(tmp_path)
    assert len(checkpoint.load_state(tmp_path, RECIPE)[1]) == 2


def test_two_torn_states_are_not_taken_for_a_fresh_folder(tmp_path):
    for epoch in (1, 2):
        checkpoint.save_state(tmp_path, state(epoch), RECIPE, [row(1)] * epoch)
    for name in (checkpoint.STATE, checkpoint.PREVIOUS_STATE):
        (tmp_path / name).write_bytes(b"PK torn")
    assert checkpoint.is_damaged(tmp_path)
    with pytest.raises(ExperimentError, match=r"cannot be read.*--force"):
        checkpoint.load_state(tmp_path, RECIPE)


def test_what_may_change_and_what_may_not(tmp_path):
    checkpoint.save_state(tmp_path, state(1), RECIPE, [row(1)])
    moved = replace(RECIPE, name="other", data=replace(RECIPE.data, sources=(SourceSettings("elsewhere.csv"),)))
    assert len(checkpoint.load_state(tmp_path, replace(moved, training=TrainingSettings(epochs=200)))[1]) == 1
    with pytest.raises(ExperimentError, match=r"another recipe: net.width is 5, was 4.*--force"):
        checkpoint.load_state(tmp_path, replace(RECIPE, net=NetworkSettings(width=5)))


def test_rows_with_more_columns_than_the_first_fit_one_table(tmp_path):
    checkpoint.save_state(tmp_path, state(1), RECIPE, [{"epoch": 1.0}, {"epoch": 2.0, "held_out": 0.5}])
    assert run_folder.read_run(tmp_path).history == ({"epoch": 1.0}, {"epoch": 2.0, "held_out": 0.5})


FULL = """
import resource, sys
from pathlib import Path
import numpy as np
from mien.training import checkpoint
from mien.training.recipe import Net, Recipe
from mien.errors import OutputError
folder = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    checkpoint.write(folder, [np.zeros(100_000, np.float32)], Recipe(net=Net(width=4)), [{"epoch": 1}, {"epoch": 2}])
except OutputError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of Unix")
def test_a_full_disk_keeps_the_last_whole_state(tmp_path):
    checkpoint.save_state(tmp_path, state(1), RECIPE, [row(1)])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    done = subprocess.run([sys.executable, "-c", FULL, tmp_path], capture_output=True, text=True, check=True)
    assert "cannot be written" in done.stdout
    assert "The state after epoch 1 is kept. Make room" in done.stdout
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert len(checkpoint.load_state(tmp_path, RECIPE)[1]) == 1


def test_a_folder_of_a_run_is_a_model(tmp_path):
    from mien.models import resolve_model
    from tiny import tiny_model

    folder = made_run(tmp_path / "runs" / "first")
    (folder / run_folder.ONNX).write_bytes(tiny_model())
    assert resolve_model(folder) == Path(folder / "model.onnx")
