"""``mien nets``: the list, the layers of one, and diagrams."""

import json
import os
import subprocess

import pytest

pytest.importorskip("keras")
pytestmark = pytest.mark.train

from PIL import Image  # noqa: E402

from command import command, mien  # noqa: E402
from mien.apps.cli.dataset_options import BACKENDS, convert_import_errors  # noqa: E402
from mien.errors import ExperimentError  # noqa: E402
from mien.training import backends, network_summary, networks  # noqa: E402
from network_parameters import residual_parameters  # noqa: E402

TINY = ("--set", "net.width=4", "--set", "net.depth=1,2")


def test_one_net_layer_by_layer_and_drawn(tmp_path, capsys):
    assert mien("nets", "show", "residual", *TINY, "-o", tmp_path / "residual.png") == 0
    out = capsys.readouterr().out
    assert f"{residual_parameters(4, (1, 2)):,} parameters" in out
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line}
    assert rows["stage2_block2_2_conv"] == ["Conv2D", "11", "x", "11", "x", "8", "576"]
    assert rows["votes"][-1] == "72"
    with Image.open(tmp_path / "residual.png") as picture:
        assert min(picture.size) > 200


def test_the_layers_as_json_add_up(capsys):
    assert mien("nets", "show", "basic", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["name"] == "basic"
    assert sum(layer["parameters"] for layer in found["layers"]) == found["parameters"]
    assert next(layer["shape"] for layer in found["layers"] if layer["name"] == "flat") == [2048]


def test_the_list_has_every_net_with_its_size(monkeypatch, capsys):
    few = {name: networks.NETWORKS[name] for name in ("basic", "vgg")}
    monkeypatch.setattr(network_summary.nets, "NETS", few)
    assert mien("nets", *TINY) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["NAME", "PARAMETERS", "MULTIPLY-ADDS", "WHAT", "IT", "IS"]
    assert [line.split()[0] for line in lines] == list(few)
    assert mien("nets", "--json", *TINY) == 0
    assert [set(each) for each in json.loads(capsys.readouterr().out)] == [
        {"name", "about", "parameters", "multiply_adds"}
    ] * 2


@pytest.mark.slow
def test_every_net_is_built_and_drawn(tmp_path, capsys):
    assert mien("nets", "--diagrams", tmp_path) == 0
    assert {path.stem for path in tmp_path.glob("*.png")} == set(networks.NETWORKS)


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_every_net_has_one_line_that_fits(name):
    assert 10 < len(network_summary.describe_network(name)) < 80
    assert "`" not in network_summary.describe_network(name)


@pytest.mark.parametrize(
    ("words", "said", "status"),
    [
        (("nets", "show", "bsic"), "There is no net 'bsic'", 1),
        (("nets", "show", "basic", "--set", "net.wdth=3"), "Did you mean 'net.width'", 1),
        (("nets", "show", "basic", "-o", "basic.gif"), "does not end in .png", 2),
    ],
)
def test_what_is_wrong_is_one_sentence(words, said, status, capsys):
    assert mien(*words) == status
    out, err = capsys.readouterr()
    assert (out, said in err) == ("", True)


# Keras on something that is not there


def test_a_backend_that_nobody_knows_is_one_sentence():
    mistyped = {**os.environ, "KERAS_BACKEND": "tensorflw"}
    line = command("nets", "show", "basic")
    done = subprocess.run(line, capture_output=True, text=True, env=mistyped, timeout=120, check=False)
    assert done.returncode == 1
    assert "Keras is to run on 'tensorflw'. Training runs on tensorflow, torch, jax" in done.stderr
    assert "Did you mean 'tensorflow'?" in done.stderr


@pytest.mark.parametrize(
    ("backend", "package", "said"),
    [
        (
            "torch",
            "torch",
            'run on torch, which is not installed. Training runs on tensorflow, torch, jax. pip install "torch"',
        ),
        ("jax", "jax.numpy", 'pip install "jax", or set KERAS_BACKEND=tensorflow'),
        ("", "jax", "run on jax, which"),  # as Keras's own file of settings may have it
        ("numpy", "jax", "run on 'numpy'"),
        ("openvino", "openvino", "run on 'openvino'"),
    ],
)
def test_a_backend_that_is_not_installed_is_told_with_the_command(backend, package, said, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    with pytest.raises(ExperimentError) as told, convert_import_errors():
        raise ModuleNotFoundError(f"No module named '{package}'", name=package)
    assert said in str(told.value)


def test_other_errors_pass_and_the_backends_are_those_that_train():
    for error in (ValueError("something else"), ModuleNotFoundError("No module named 'x'", name="x")):
        with pytest.raises(type(error)) as passed, convert_import_errors():
            raise error
        assert passed.value is error
    assert BACKENDS == backends.BACKENDS
