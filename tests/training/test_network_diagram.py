"""The diagram of a network: its layers grouped by the size of their outputs."""

from io import BytesIO

import pytest
from PIL import Image

pytest.importorskip("matplotlib")
pytest.importorskip("keras")
pytestmark = pytest.mark.train

from mien.training import network_summary, networks  # noqa: E402
from mien.training.recipe import NetworkSettings  # noqa: E402


def group(name, **settings):
    return list(network_summary.group_by_size(networks.build_network(NetworkSettings(name=name, **settings))))


def test_stages_of_a_small_network_have_its_layers():
    stages = group("basic", votes=False, crop=False, dropout=0.5)
    assert [(stage.side, stage.channels) for stage in stages] == [
        *[(48, 1), (46, 32), (23, 32), (21, 64), (10, 64), (8, 128), (4, 128)],
        *[(0, 2048), (0, 128), (0, 7)],
    ]
    assert stages[1].layers == ("conv 3×3", "relu")
    assert stages[-2].layers == ("dense", "relu", "dropout")
    assert [stage.head for stage in stages] == [False] * 9 + [True]


@pytest.mark.full
def test_squeeze_and_excite_and_padding_belong_to_the_size_around_them():
    stages = group("efficientnetb0", votes=True)
    sides = [stage.side for stage in stages if stage.side]
    assert sides == sorted(sides, reverse=True)
    assert any("pad" in word for stage in stages for word in stage.layers)
    assert [stage.channels for stage in stages if stage.head] == [7, 8]


OTHERS = [pytest.param(name, marks=pytest.mark.full) for name in networks.NETWORKS if name != "residual"]


@pytest.mark.parametrize("name", ["residual", *OTHERS])
def test_diagram_has_the_size_of_a_screen(name):
    model = networks.build_network(NetworkSettings(name=name))
    with Image.open(BytesIO(network_summary.diagram_png(model))) as figure:
        assert 600 < figure.width < 3200
        assert 300 < figure.height < 900
    assert all(stage.layers for stage in network_summary.group_by_size(model))
