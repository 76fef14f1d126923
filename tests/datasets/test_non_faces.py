"""Images without a face: every pattern varies, and uncertainty follows the card's threshold."""

import numpy as np
import pytest

from mien.datasets import non_faces
from mien.labels import EMOTIONS
from mien.models import ModelCard
from mien.models.classifier import Outputs


@pytest.mark.parametrize("kind", non_faces.KINDS)
def test_pattern_varies_and_depends_only_on_the_seed(kind):
    first, again = (
        [non_faces.KINDS[kind](rng) for _ in range(20)] for rng in (np.random.default_rng(1), np.random.default_rng(1))
    )
    assert {(image.shape, image.dtype.name) for image in first} == {((48, 48), "uint8")}
    assert np.array_equal(first, again)
    assert len({image.tobytes() for image in first}) > 15
    deviations = [image.std() for image in first]
    assert max(deviations) == 0 if kind == "flat" else np.mean(deviations) > 5


class BrightnessClassifier:
    """Certain of bright images, uncertain of all others."""

    card = ModelCard("light", EMOTIONS, uncertain_below=0.5)

    def run(self, faces):
        top = np.where(faces.mean((1, 2, 3)) > 127.5, 0.88, 1 / 7)[:, None]
        return Outputs(np.hstack([top, np.repeat((1 - top) / 6, 6, axis=1)]).astype(np.float32), None)


def test_uncertain_rate_follows_the_threshold_of_the_card():
    rates = non_faces.measure_uncertain_rates(BrightnessClassifier(), count=60)
    assert list(rates) == list(non_faces.KINDS)
    rng = np.random.default_rng(0)
    images = [non_faces.flat(rng) for _ in range(60)]
    assert rates["flat"] == np.mean([image.mean() <= 127.5 for image in images])
