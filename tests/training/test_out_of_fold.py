"""Out-of-fold predictions: each run predicts its own fold alone, and the file covers every Training face."""

import json
from dataclasses import replace

import numpy as np
import pytest

from command import mien
from mien.datasets import synthetic
from mien.datasets.dataset import write_csv, write_votes
from mien.datasets.splits import DataSettings, assign_training_folds
from mien.errors import ExperimentError
from mien.evaluation.calibration import fit_temperature, softmax
from mien.training.recipe import NetworkSettings, Recipe
from mien.training.targets import SoftTargets, hash_faces

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.train

from exported_networks import write_finished_run  # noqa: E402
from mien.export.onnx import predict_logits_by_head  # noqa: E402
from mien.training import networks, out_of_fold, transfer  # noqa: E402

RECIPE = Recipe(
    name="teacher", data=DataSettings(validation=0, folds=3, fold=1), net=NetworkSettings(width=4, depth=(1,))
)


def recipe_of(fold: int, folds: int = 3) -> Recipe:
    return replace(RECIPE, data=replace(RECIPE.data, fold=fold, folds=folds))


@pytest.fixture(scope="module")
def faces():
    return synthetic.draw_faces(420, seed=2)


@pytest.fixture(scope="module")
def runs(tmp_path_factory, faces):
    """Finished runs of three folds; their networks have the same weights, so only temperatures differ."""
    folder = tmp_path_factory.mktemp("runs")
    for fold in (1, 2, 3):
        write_finished_run(folder / f"teacher-{fold}", recipe_of(fold))
    return [folder / f"teacher-{fold}" for fold in (1, 2, 3)]


@pytest.fixture(scope="module")
def soft_targets(runs, faces):
    return out_of_fold.predict_folds(runs, faces, tta=False)


def training_of(faces):
    return faces.take(faces.usage == "Training")


def test_every_training_face_is_predicted_and_no_other(soft_targets, faces):
    assert soft_targets.find_rows(hash_faces(training_of(faces).pixels))[0].all()
    assert not soft_targets.find_rows(hash_faces(faces.take(faces.usage != "Training").pixels))[0].any()
    assert soft_targets.facts["faces"] == len(training_of(faces))
    assert [run["fold"] for run in soft_targets.facts["runs"]] == [1, 2, 3]


def test_each_run_predicts_its_own_fold_at_its_own_temperature(soft_targets, runs, faces):
    model = write_finished_run(runs[0].parent / "again", recipe_of(1))
    folds = assign_training_folds(faces, 3)
    for fold in range(3):
        part = faces.take(folds == fold)
        logits = predict_logits_by_head(model, part.pixels)["label"].astype(np.float64)
        temperature = fit_temperature(logits, np.eye(7)[part.labels])
        rows = soft_targets.find_rows(hash_faces(part.pixels))[1]
        np.testing.assert_allclose(soft_targets.scores[rows], softmax(logits / temperature), atol=1e-4)
        assert soft_targets.facts["runs"][fold]["label_temperature"] == pytest.approx(temperature)


def test_several_runs_of_a_fold_are_averaged_and_views_change_little(soft_targets, runs, faces):
    twice = out_of_fold.predict_folds([*runs, runs[1]], faces, tta=False)
    np.testing.assert_allclose(twice.scores, soft_targets.scores, atol=1e-5)
    views = out_of_fold.predict_folds(runs, faces)
    assert views.facts["views"] == 10
    assert 0 < np.abs(views.scores - soft_targets.scores).max() < 0.5


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((0, 1), r"no run of fold 3 of 3.*Train it with --set data.fold=3"),
        ((0, 1, 2, "without"), r"'without' was trained without folds"),
        ((0, 1, 2, "five"), r"'five' has other folds or classes"),
    ],
)
def test_runs_that_do_not_fit_are_refused(runs, faces, tmp_path, names, message):
    write_finished_run(tmp_path / "without", replace(RECIPE, data=DataSettings(validation=35)))
    write_finished_run(tmp_path / "five", recipe_of(1, folds=5))
    paths = [tmp_path / name if isinstance(name, str) else runs[name] for name in names]
    with pytest.raises(ExperimentError, match=message):
        out_of_fold.predict_folds(paths, faces, tta=False)


def test_other_data_is_refused(runs, faces, soft_targets, tmp_path):
    path = tmp_path / "o.npz"
    path.write_bytes(soft_targets.to_bytes())
    with pytest.raises(ExperimentError, match=r"has predictions for 0 of the"):
        out_of_fold.evaluate_folds(path, synthetic.draw_faces(70, seed=99))


def test_metrics_are_those_of_the_predictions(soft_targets, faces, tmp_path):
    path = tmp_path / "o.npz"
    path.write_bytes(soft_targets.to_bytes())
    assert out_of_fold.is_out_of_fold(path)
    predictions, metrics = out_of_fold.evaluate_folds(path, faces)
    training = training_of(faces)
    rows = soft_targets.find_rows(hash_faces(training.pixels))[1]
    rounded = SoftTargets.read(path).scores[rows]
    assert metrics["accuracy"] == pytest.approx(np.mean(rounded.argmax(1) == training.labels))
    assert metrics["standard_error"] == pytest.approx(
        np.sqrt(metrics["accuracy"] * (1 - metrics["accuracy"]) / len(training))
    )
    assert (metrics["split"], metrics["faces"]) == ("out-of-fold", len(training))
    assert len(predictions.indices) == len(training)


def test_a_network_may_not_begin_from_one_that_was_trained_on_its_fold(runs, faces):
    model = networks.build_network(RECIPE.net)
    begins = replace(recipe_of(1), net=replace(RECIPE.net, weights=str(runs[0])))
    transfer.load_initial_weights(model, begins, faces.pixels[:0, ..., None])
    with pytest.raises(ExperimentError, match=r"'teacher-2' was trained on faces of fold 1"):
        transfer.load_initial_weights(
            model, replace(begins, net=replace(begins.net, weights=str(runs[1]))), faces.pixels[:0, ..., None]
        )


def test_commands_write_and_evaluate_out_of_fold_predictions(runs, faces, tmp_path, capsys):
    data = write_csv(faces, tmp_path / "fer2013.csv")
    write_votes(faces, tmp_path / "fer2013new.csv")
    path = tmp_path / "out-of-fold.npz"
    assert mien("distill", *runs, "--folds", "--no-tta", "--data", data, "-o", path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["folds"] == 3
    assert mien("evaluate", "--model", path, "--data", data, "-o", tmp_path / "evaluation") == 0
    assert "out-of-fold on the out-of-fold split: 336 faces" in capsys.readouterr().out
    assert (tmp_path / "evaluation" / "evaluation.html").exists()
    assert mien("distill", *runs[:2], "--folds", "--data", data, "-o", tmp_path / "x.npz") == 1
    assert "no run of fold 3" in capsys.readouterr().err
