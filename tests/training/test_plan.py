"""The plan of a run: validation faces of small data sets, and settings that need some."""

import numpy as np
import pytest

from mien.datasets import synthetic
from mien.datasets.splits import DataSettings
from mien.errors import ExperimentError
from mien.training.plan import adapt_validation
from mien.training.recipe import Recipe, TrainingSettings


@pytest.fixture(scope="module")
def faces():
    return synthetic.draw_faces(140, seed=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schedule": "plateau"}, "training.schedule=plateau need.*training.schedule=cosine"),
        ({"early_stopping": 4}, "training.early_stopping=4 need.*training.early_stopping=0"),
        ({"keep": "best"}, "training.keep=best need.*training.keep=last"),
    ],
)
def test_settings_that_need_validation_faces_are_refused_without_any(faces, change, message):
    recipe = Recipe(data=DataSettings(validation=0), training=TrainingSettings(**change))
    with pytest.raises(ExperimentError, match=message):
        adapt_validation(recipe, faces)


def test_duplicates_are_no_validation_faces(faces):
    twice = faces.take(np.repeat(np.arange(len(faces)), 2))
    with pytest.raises(ExperimentError, match="Training faces without a duplicate were expected"):
        adapt_validation(Recipe(training=TrainingSettings(keep="best")), twice)


def test_small_data_sets_get_fewer_validation_faces(faces):
    assert adapt_validation(Recipe(), faces).recipe.data.validation == 112 // 5
    recipe = Recipe(data=DataSettings(validation=20))
    assert adapt_validation(recipe, faces).recipe == recipe
    assert adapt_validation(Recipe(data=DataSettings(validation=0)), faces).recipe.data.validation == 0
