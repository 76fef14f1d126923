"""Training on each backend and on two devices, each in its own process; torch and JAX only where they are installed."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from mien.errors import ExperimentError
from mien.training.recipe import TrainingSettings

pytest.importorskip("keras")
pytestmark = pytest.mark.train
SUPPORT = Path(__file__).parents[1] / "support"


def requires(backend):
    return pytest.mark.skipif(find_spec(backend) is None, reason=f"{backend} is not installed")


BACKENDS = [pytest.param(name, marks=requires(name)) for name in ("tensorflow", "torch", "jax")]


def run_script(backend, script, *arguments):
    """The numbers in the last line that a script prints."""
    environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, SUPPORT / script, *map(str, arguments)]
    process = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600, check=False)
    assert process.returncode == 0, process.stderr[-2000:]
    return [float(number) for number in process.stdout.splitlines()[-1].split()]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", pytest.param("jax", marks=requires("jax"))])
def test_two_devices_compute_the_same_as_one(backend, tmp_path):
    difference, change, loss = run_script(backend, "several_devices.py", tmp_path)
    assert change > 1e-3
    assert difference < 1e-3 * change
    assert 0 < loss < 100


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_stopped_run_resumes_to_the_same_weights(backend, tmp_path):
    difference, change, _ = run_script(backend, "one_backend.py", "resume", tmp_path)
    assert change > 1e-3
    assert difference == 0


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_fused_norm_and_its_gradients_equal_those_of_keras(backend, tmp_path):
    outputs, gradients, statistics = run_script(backend, "one_backend.py", "norm", tmp_path)
    assert max(outputs, gradients) < 1e-4
    assert statistics < 3e-3  # the kernels use the unbiased variance


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_synthetic_faces_are_learned(backend, tmp_path):
    accuracy, _, _ = run_script(backend, "one_backend.py", "learn", tmp_path)
    assert accuracy > 0.5  # chance is 0.14, a usual run has 0.99


def test_torch_has_one_device(monkeypatch):
    import keras

    from mien.training.backends import devices

    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    message = r"training.devices is 2, and Keras uses torch.*training.devices=1"
    with pytest.raises(ExperimentError, match=message), devices.distribute(TrainingSettings(devices=2)):
        pass


def test_more_devices_than_the_machine_has_are_refused():
    from mien.training.backends import devices

    message = r"training.devices is 99. This machine has \d+"
    with pytest.raises(ExperimentError, match=message), devices.distribute(TrainingSettings(devices=99)):
        pass


def test_unknown_backend_is_refused(monkeypatch):
    import keras

    from mien.training import backends

    monkeypatch.setattr(keras.backend, "backend", lambda: "openvino")
    message = r"Keras uses the backend openvino.*tensorflow, torch, jax.*KERAS_BACKEND=tensorflow"
    with pytest.raises(ExperimentError, match=message):
        backends.load_backend()
