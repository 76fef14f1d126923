"""The same training on each backend and on two devices; torch and JAX only where they are installed.

Each runs in a process of its own, for Keras takes one backend for life.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("keras")
pytestmark = pytest.mark.train
HERE = Path(__file__).parents[1] / "support"


def missing(backend):
    return pytest.mark.skipif(find_spec(backend) is None, reason=f"{backend} is not installed")


BACKENDS = [pytest.param(name, marks=missing(name)) for name in ("tensorflow", "torch", "jax")]


def told(backend, script, *words):
    """The last line that a script prints, in parts."""
    environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, HERE / script, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()[-1].split()


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", pytest.param("jax", marks=missing("jax"))])
def test_two_devices_learn_what_one_learns(backend, tmp_path):
    apart, moved, loss = map(float, told(backend, "several_devices.py", tmp_path))
    assert moved > 1e-3
    assert apart < 1e-3 * moved
    assert 1 < loss < 5


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_that_was_stopped_goes_on_to_the_same_weights(backend, tmp_path):
    apart, moved, _ = map(float, told(backend, "one_backend.py", "resume", tmp_path))
    assert moved > 1e-3
    assert apart == 0


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_fused_norm_and_its_slopes_are_those_of_keras(backend, tmp_path):
    outputs, slopes, means = map(float, told(backend, "one_backend.py", "norm", tmp_path))
    assert max(outputs, slopes) < 1e-4
    assert means < 3e-3  # the kernels follow the unbiased variance


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_drawn_faces_are_learnt(backend, tmp_path):
    accuracy, _, _ = map(float, told(backend, "one_backend.py", "learn", tmp_path))
    assert accuracy > 0.95


def test_torch_has_one_device(monkeypatch):
    import keras

    from mien.errors import ExperimentError
    from mien.training.backends import devices
    from mien.training.recipe import TrainingSettings

    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    refused = pytest.raises(ExperimentError, match=r"training.devices is 2, and Keras runs on torch.*training.devices=1")
    with refused, devices.shared(TrainingSettings(devices=2)):
        pass


def test_more_devices_than_there_are():
    from mien.errors import ExperimentError
    from mien.training.backends import devices
    from mien.training.recipe import TrainingSettings

    with pytest.raises(ExperimentError, match=r"training.devices is 99. This machine has \d+"), devices.shared(TrainingSettings(devices=99)):
        pass
