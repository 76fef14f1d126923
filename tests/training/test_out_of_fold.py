"""Out-of-fold predictions: each run predicts its own fold alone, and the file covers every Training face."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from command import mien
from mien.datasets import synthetic
from mien.datasets.dataset import write_csv, write_votes
from mien.datasets.splits import FIVE_CLASSES, DataSettings, assign_training_folds
from mien.errors import ExperimentError
from mien.evaluation.calibration import fit_temperature, softmax
from mien.evaluation.evaluate import fingerprint_faces
from mien.labels import EMOTIONS
from mien.training.recipe import NetworkSettings, Recipe
from mien.training.targets import SoftTargets, hash_faces

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.train

from exported_networks import write_finished_run  # noqa: E402
from mien.export.onnx import predict_logits_by_head  # noqa: E402
from mien.training import checkpoint, networks, out_of_fold, transfer  # noqa: E402

RECIPE = Recipe(
    name="teacher", data=DataSettings(validation=0, folds=3, fold=1), net=NetworkSettings(width=4, depth=(1,))
)


#: The classes that FIVE_CLASSES lacks.
RARE = ("disgust", "fear")


def recipe_of(fold: int, folds: int = 3) -> Recipe:
    return replace(RECIPE, data=replace(RECIPE.data, fold=fold, folds=folds))


@pytest.fixture(scope="module")
def faces():
    return synthetic.draw_faces(420, seed=2)


@pytest.fixture(scope="module")
def runs(tmp_path_factory, faces):
    """Finished runs of three folds, whose label heads differ: each is fitted on the faces of the other folds."""
    folder, folds = tmp_path_factory.mktemp("runs"), assign_training_folds(faces, 3)
    for fold in (1, 2, 3):
        model = write_finished_run(folder / f"teacher-{fold}", recipe_of(fold))
        others = faces.take((folds >= 0) & (folds != fold - 1))
        head = model.get_layer("label")
        features = np.asarray(keras.Model(model.inputs[0], head.input)(others.pixels[..., None].astype(np.float32)))
        matrix = np.concatenate([features, np.ones((len(features), 1))], axis=1)
        solution = np.linalg.lstsq(matrix, 6 * np.eye(7)[others.labels], rcond=None)[0]
        head.set_weights([solution[:-1], solution[-1]])
        checkpoint.save_weights(folder / f"teacher-{fold}", model)
    return [folder / f"teacher-{fold}" for fold in (1, 2, 3)]


def load_network(run):
    model = networks.build_recipe_network(checkpoint.read_recipe(run), "float32", finished=True)
    checkpoint.load_weights(run, model)
    return model


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
    folds = assign_training_folds(faces, 3)
    for fold, run in enumerate(runs):
        part, facts = faces.take(folds == fold), soft_targets.facts["runs"][fold]
        rows = soft_targets.find_rows(hash_faces(part.pixels))[1]
        logits = predict_logits_by_head(load_network(run), part.pixels)
        targets = {"label": np.eye(7)[part.labels], "votes": part.vote_scores()}
        for head, scores in (("label", soft_targets.scores), ("votes", soft_targets.votes)):
            temperature = fit_temperature(logits[head], targets[head])
            np.testing.assert_allclose(scores[rows], softmax(logits[head] / temperature), atol=1e-4)
            assert facts[f"{head}_temperature"] == pytest.approx(temperature, rel=0.02)
        assert facts["accuracy"] == pytest.approx(np.mean(logits["label"].argmax(1) == part.labels), abs=1e-4)
    temperatures = [run["label_temperature"] for run in soft_targets.facts["runs"]]
    assert min(temperatures) > 0.25
    assert max(temperatures) < 4


def test_several_runs_of_a_fold_are_averaged_and_views_change_little(soft_targets, runs, faces):
    write_finished_run(runs[0].parent / "second", recipe_of(2))
    runs_of_two = [runs[0], runs[0].parent / "second", runs[2]]
    second = out_of_fold.predict_folds(runs_of_two, faces, tta=False)
    both = out_of_fold.predict_folds([*runs, runs_of_two[1]], faces, tta=False)
    np.testing.assert_allclose(both.scores, (soft_targets.scores + second.scores) / 2, atol=1e-6)
    assert np.abs(soft_targets.scores - second.scores).max() > 0.01
    assert len(both.facts["runs"]) == 4
    views = out_of_fold.predict_folds(runs, faces)
    assert views.facts["views"] == 10
    assert 0 < np.abs(views.scores - soft_targets.scores).max() < 0.5


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((0, 1), r"no run of fold 3 of 3.*Train it with --set data.fold=3"),
        ((0, 1, 2, "without"), r"'without' was trained without folds"),
        ((0, 1, 2, "five"), r"'five' has other folds or classes"),
        ((0, 1, 2, "classes"), r"'classes' has other folds or classes"),
        ((0, 1, "unfinished"), r"unfinished' has no finished run"),
        ((0, 1, "other"), r"other' had other validation faces than this data has"),
    ],
)
def test_runs_that_do_not_fit_are_refused(runs, faces, tmp_path, names, message):
    write_finished_run(tmp_path / "without", replace(RECIPE, data=DataSettings(validation=35)))
    write_finished_run(tmp_path / "five", recipe_of(1, folds=5))
    write_finished_run(tmp_path / "classes", replace(RECIPE, data=replace(RECIPE.data, classes=FIVE_CLASSES)))
    write_finished_run(tmp_path / "unfinished", recipe_of(3))
    (tmp_path / "unfinished" / "weights.npz").unlink()
    write_finished_run(tmp_path / "other", recipe_of(3))
    (tmp_path / "other" / "environment.json").write_text('{"data": {"validation": "0123456789abcdef"}}')
    paths = [tmp_path / name if isinstance(name, str) else runs[name] for name in names]
    with pytest.raises(ExperimentError, match=message):
        out_of_fold.predict_folds(paths, faces, tta=False)


def test_a_run_of_the_same_data_is_accepted(runs, faces, soft_targets, tmp_path):
    shutil.copytree(runs[2], tmp_path / "same")
    fold = faces.take(assign_training_folds(faces, 3) == 2)
    facts = {"data": {"validation": fingerprint_faces(fold)}}
    (tmp_path / "same" / "environment.json").write_text(json.dumps(facts))
    again = out_of_fold.predict_folds([*runs[:2], tmp_path / "same"], faces, tta=False)
    np.testing.assert_array_equal(again.scores, soft_targets.scores)


def test_votes_are_predicted_where_all_runs_have_that_head(runs, faces, soft_targets, tmp_path):
    assert soft_targets.votes.shape == (len(soft_targets.scores), 8)
    write_finished_run(tmp_path / "label", replace(recipe_of(2), net=replace(RECIPE.net, votes=False)))
    assert out_of_fold.predict_folds([runs[0], tmp_path / "label", runs[2]], faces, tta=False).votes is None


def test_faces_of_other_classes_are_excluded(faces, tmp_path):
    recipe = replace(RECIPE, data=replace(RECIPE.data, folds=2, classes=FIVE_CLASSES))
    for fold in (1, 2):
        write_finished_run(tmp_path / str(fold), replace(recipe, data=replace(recipe.data, fold=fold)))
    path = tmp_path / "five.npz"
    path.write_bytes(out_of_fold.predict_folds([tmp_path / "1", tmp_path / "2"], faces, tta=False).to_bytes())
    predictions, metrics = out_of_fold.evaluate_folds(path, faces)
    training = training_of(faces)
    assert metrics["faces"] == int(np.isin(training.labels, [EMOTIONS.index(name) for name in FIVE_CLASSES]).sum())
    assert metrics["excluded"] == {name: int((training.labels == EMOTIONS.index(name)).sum()) for name in RARE}
    np.testing.assert_array_equal(faces.pixels[predictions.indices], predictions.faces.pixels)


def test_soft_targets_of_teachers_are_no_out_of_fold_predictions(soft_targets, faces, tmp_path):
    facts = {key: value for key, value in soft_targets.facts.items() if key != "folds"}
    (tmp_path / "t.npz").write_bytes(replace(soft_targets, facts=facts).to_bytes())
    with pytest.raises(ExperimentError, match=r"teachers that were trained on these faces.*mien distill --folds"):
        out_of_fold.evaluate_folds(tmp_path / "t.npz", faces)


def test_other_data_is_refused(runs, faces, soft_targets, tmp_path):
    path = tmp_path / "o.npz"
    path.write_bytes(soft_targets.to_bytes())
    with pytest.raises(ExperimentError, match=r"has predictions for 0 of the"):
        out_of_fold.evaluate_folds(path, synthetic.draw_faces(70, seed=99))


def test_metrics_are_those_of_the_predictions(soft_targets, faces, tmp_path):
    path = tmp_path / "o.npz"
    path.write_bytes(soft_targets.to_bytes())
    predictions, metrics = out_of_fold.evaluate_folds(path, faces)
    training = training_of(faces)
    rows = soft_targets.find_rows(hash_faces(training.pixels))[1]
    rounded = SoftTargets.read(path).scores[rows]
    assert metrics["accuracy"] == pytest.approx(np.mean(rounded.argmax(1) == training.labels))
    assert metrics["standard_error"] == pytest.approx(
        np.sqrt(metrics["accuracy"] * (1 - metrics["accuracy"]) / len(training))
    )
    assert (metrics["split"], metrics["faces"]) == ("out-of-fold", len(training))
    assert metrics["calibration"]["on"] == "the own fold of each run"
    assert metrics["ece_calibrated"] == metrics["ece"]
    assert len(predictions.indices) == len(training)


def test_a_network_may_not_begin_from_one_that_was_trained_on_its_fold(runs, faces):
    model = networks.build_network(RECIPE.net)
    begins = replace(recipe_of(1), net=replace(RECIPE.net, weights=str(runs[0])))
    transfer.load_initial_weights(model, begins, faces.pixels[:0, ..., None])
    for weights in (runs[1], runs[1] / "weights.npz"):
        other = replace(begins, net=replace(begins.net, weights=str(weights)))
        with pytest.raises(ExperimentError, match=r"'teacher-2' has seen the faces of fold 1"):
            transfer.load_initial_weights(model, other, faces.pixels[:0, ..., None])
        without_folds = replace(other, data=DataSettings())
        transfer.load_initial_weights(model, without_folds, faces.pixels[:0, ..., None])


def test_commands_write_and_evaluate_out_of_fold_predictions(runs, faces, tmp_path, capsys):
    data = write_csv(faces, tmp_path / "fer2013.csv")
    write_votes(faces, tmp_path / "fer2013new.csv")
    path = tmp_path / "out-of-fold.npz"
    assert mien("distill", *runs, "--folds", "--no-tta", "--data", data, "-o", path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["folds"] == 3
    assert mien("evaluate", "--model", path, "--data", data, "-o", tmp_path / "evaluation") == 0
    out = capsys.readouterr().out
    assert "out-of-fold on the out-of-fold split: 336 faces" in out
    assert "  standard error    " in out
    assert "not calibrated" not in out
    assert (tmp_path / "evaluation" / "evaluation.html").exists()
    assert mien("distill", *runs[:2], "--folds", "--data", data, "-o", tmp_path / "x.npz") == 1
    assert "no run of fold 3" in capsys.readouterr().err


def test_commands_compare_out_of_fold_predictions(soft_targets, faces, tmp_path, capsys):
    """Predictions that are all angry against those that are all happy: known numbers of faces."""
    data, training = write_csv(faces, tmp_path / "fer2013.csv"), training_of(faces)
    for name in ("angry", "happy"):
        scores = np.eye(7, dtype=np.float32)[np.full(len(soft_targets.scores), EMOTIONS.index(name))]
        (tmp_path / f"{name}.npz").write_bytes(replace(soft_targets, scores=scores, votes=None).to_bytes())
    files = [tmp_path / "angry.npz", tmp_path / "happy.npz"]
    assert mien("compare", *files, "--data", data, "--json", "-o", tmp_path / "out") == 0
    values = json.loads(capsys.readouterr().out)
    counts = {name: int((training.labels == EMOTIONS.index(name)).sum()) for name in ("angry", "happy")}
    assert {row["name"]: row["accuracy"] for row in values["rows"]} == {
        name: pytest.approx(count / len(training)) for name, count in counts.items()
    }
    assert {row["split"] for row in values["rows"]} == {"out-of-fold"}
    first, second = values["mcnemar"]["models"]
    assert (values["mcnemar"]["only_first"], values["mcnemar"]["only_second"]) == (counts[first], counts[second])
    assert values["mcnemar"]["difference"] == pytest.approx((counts[first] - counts[second]) / len(training))
    assert (tmp_path / "out" / "comparison.html").exists()


def test_options_of_models_are_wrong_usage_with_out_of_fold_predictions(runs, tmp_path, capsys):
    assert (
        mien("evaluate", "--model", tmp_path / "o.npz", "--data", tmp_path, "-o", tmp_path / "e", "--split", "private")
        == 2
    )
    assert "Leave out --split" in capsys.readouterr().err
    assert mien("distill", *runs, "--folds", "--data", tmp_path) == 2
    assert "add -o FILE" in capsys.readouterr().err
    assert mien("distill", *runs, "--folds", "--data", tmp_path, "-o", tmp_path / "o.npz", "--temperature", "2") == 2
    assert "Leave out --recipe" in capsys.readouterr().err
