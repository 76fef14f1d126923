"""Pictures of nothing: varied, and counted by the card's own rule."""

import numpy as np
import pytest

from mien.datasets import non_faces
from mien.labels import EMOTIONS
from mien.models import ModelCard
from mien.models.classifier import Outputs


@pytest.mark.parametrize("kind", non_faces.KINDS)
def test_every_kind_is_varied_and_the_seed_decides(kind):
    first, again = (
        [non_faces.KINDS[kind](rng) for _ in range(20)] for rng in (np.random.default_rng(1), np.random.default_rng(1))
    )
    assert {(picture.shape, picture.dtype.name) for picture in first} == {((48, 48), "uint8")}
    assert np.array_equal(first, again)
    assert len({picture.tobytes() for picture in first}) > 15
    assert np.ptp([picture.mean() for picture in first]) > 50


def test_flat_is_flat_and_the_others_are_not():
    spread = {
        kind: np.mean([draw(np.random.default_rng(n)).std() for n in range(20)])
        for kind, draw in non_faces.KINDS.items()
    }
    assert spread.pop("flat") == 0
    assert min(spread.values()) > 5


class SureOfLight:
    """Sure of bright pictures, at a loss with all others."""

    card = ModelCard("light", EMOTIONS, uncertain_below=0.5)

    def run(self, faces):
        top = np.where(faces.mean((1, 2, 3)) > 127.5, 0.88, 1 / 7)[:, None]
        return Outputs(np.hstack([top, np.repeat((1 - top) / 6, 6, axis=1)]).astype(np.float32), None)


def test_the_cards_rule_is_what_counts():
    found = non_faces.measure_uncertain_rates(SureOfLight(), count=60)
    assert list(found) == list(non_faces.KINDS)
    assert 0.3 < found["flat"] < 0.7
