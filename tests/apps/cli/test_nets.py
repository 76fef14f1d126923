"""``mien nets``: the list of networks, the layers of one, diagrams, and backends of Keras that are missing."""

import json
import os
import subprocess

import pytest

pytest.importorskip("keras")
pytestmark = pytest.mark.train

from PIL import Image  # noqa: E402

from command import command, mien  # noqa: E402
from mien.apps.cli.options import BACKENDS, convert_import_errors  # noqa: E402
from mien.errors import ExperimentError  # noqa: E402
from mien.training import backends, network_summary, networks  # noqa: E402
from network_parameters import count_residual  # noqa: E402

TINY = ("--set", "net.width=4", "--set", "net.depth=1,2")


def test_layers_of_a_network_are_listed_with_a_diagram(tmp_path, capsys):
    assert mien("nets", "show", "residual", *TINY, "-o", tmp_path / "residual.png") == 0
    out = capsys.readouterr().out
    assert f"{count_residual(4, (1, 2)):,} parameters" in out
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line}
    assert rows["stage2_block2_2_conv"] == ["Conv2D", "11", "x", "11", "x", "8", "576"]
    assert rows["votes"][-1] == "72"
    with Image.open(tmp_path / "residual.png") as diagram:
        assert min(diagram.size) > 200


def test_parameters_of_the_layers_in_json_sum_to_those_of_the_network(capsys):
    assert mien("nets", "show", "basic", "--json") == 0
    network = json.loads(capsys.readouterr().out)
    assert network["name"] == "basic"
    assert sum(layer["parameters"] for layer in network["layers"]) == network["parameters"]
    assert next(layer["shape"] for layer in network["layers"] if layer["name"] == "flat") == [2048]


def test_list_has_every_network_with_its_size(monkeypatch, capsys):
    few = {name: networks.NETWORKS[name] for name in ("basic", "vgg")}
    monkeypatch.setattr(networks, "NETWORKS", few)
    assert mien("nets", *TINY) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["NAME", "PARAMETERS", "MULTIPLY-ADDS", "DESCRIPTION"]
    assert [line.split()[0] for line in lines] == list(few)
    assert mien("nets", "--json", *TINY) == 0
    assert [set(each) for each in json.loads(capsys.readouterr().out)] == [
        {"name", "description", "parameters", "multiply_adds"}
    ] * 2


@pytest.mark.slow
def test_diagrams_of_all_networks_are_written(tmp_path, capsys):
    assert mien("nets", "--diagrams", tmp_path) == 0
    assert {path.stem for path in tmp_path.glob("*.png")} == set(networks.NETWORKS)


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_description_of_every_network_is_one_short_line(name):
    assert 10 < len(network_summary.describe_network(name)) < 80
    assert "`" not in network_summary.describe_network(name)


@pytest.mark.parametrize(
    ("arguments", "message", "status"),
    [
        (("nets", "show", "bsic"), "There is no network 'bsic'", 1),
        (("nets", "show", "basic", "--set", "net.wdth=3"), "Did you mean 'net.width'", 1),
        (("nets", "show", "basic", "-o", "basic.gif"), "does not end in .png", 2),
    ],
)
def test_invalid_arguments_are_refused(arguments, message, status, capsys):
    assert mien(*arguments) == status
    out, err = capsys.readouterr()
    assert (out, message in err) == ("", True)


# Backends of Keras that are unknown or missing


@pytest.mark.full
def test_unknown_backend_is_refused():
    environment = {**os.environ, "KERAS_BACKEND": "tensorflw"}
    arguments = command("nets", "show", "basic")
    process = subprocess.run(arguments, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert process.returncode == 1
    assert "Keras is to run on 'tensorflw'. Training runs on tensorflow, torch, jax" in process.stderr
    assert "Did you mean 'tensorflow'?" in process.stderr


@pytest.mark.parametrize(
    ("backend", "package", "message"),
    [
        (
            "torch",
            "torch",
            'run on torch, which is not installed. Training runs on tensorflow, torch, jax. pip install "torch"',
        ),
        ("jax", "jax.numpy", 'pip install "jax", or set KERAS_BACKEND=tensorflow'),
        ("", "jax", "run on jax, which"),  # as in the configuration file of Keras
        ("numpy", "jax", "run on 'numpy'"),
        ("openvino", "openvino", "run on 'openvino'"),
    ],
)
def test_missing_backend_is_reported_with_the_command_that_installs_it(backend, package, message, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    with pytest.raises(ExperimentError) as error, convert_import_errors():
        raise ModuleNotFoundError(f"No module named '{package}'", name=package)
    assert message in str(error.value)


def test_other_errors_are_raised_unchanged():
    for error in (ValueError("something else"), ModuleNotFoundError("No module named 'x'", name="x")):
        with pytest.raises(type(error)) as raised, convert_import_errors():
            raise error
        assert raised.value is error
    assert BACKENDS == backends.BACKENDS
