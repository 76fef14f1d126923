"""The figure of a net: its layers gathered by size, for every network there is."""

from io import BytesIO

import pytest
from PIL import Image

pytest.importorskip("matplotlib")
keras = pytest.importorskip("keras")
pytestmark = pytest.mark.train

from mien.training import network_summary, networks  # noqa: E402
from mien.training.recipe import NetworkSettings  # noqa: E402


def drawn(name, **settings):
    return list(network_summary.group_by_size(networks.build_network(NetworkSettings(name=name, **settings))))


def test_a_small_net_is_told_layer_by_layer():
    stages = drawn("basic", votes=False, crop=False, dropout=0.5)
    assert [(stage.side, stage.channels) for stage in stages] == [
        *[(48, 1), (46, 32), (23, 32), (21, 64), (10, 64), (8, 128), (4, 128)],
        *[(0, 2048), (0, 128), (0, 7)],
    ]
    assert stages[1].words == ("conv 3×3", "relu")
    assert stages[-2].words == ("dense", "relu", "dropout")
    assert [stage.head for stage in stages] == [False] * 9 + [True]


def test_what_squeezes_and_pads_stays_at_its_size():
    stages = drawn("efficientnetb0", votes=True)
    sides = [stage.side for stage in stages if stage.side]
    assert sides == sorted(sides, reverse=True)
    assert any("pad" in word for stage in stages for word in stage.words)
    assert [stage.channels for stage in stages if stage.head] == [7, 8]


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_every_net_fits_a_screen(name):
    model = networks.build_network(NetworkSettings(name=name))
    with Image.open(BytesIO(network_summary.diagram_png(model))) as figure:
        assert 600 < figure.width < 3200
        assert 300 < figure.height < 900
    assert all(stage.words for stage in network_summary.group_by_size(model))
