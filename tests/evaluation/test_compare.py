"""Comparison of models: order, runs with different seeds, and the significance test."""

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from mien.errors import ExperimentError
from mien.evaluation import compare

RNG = np.random.default_rng(5)


def model(name="one", accuracy=0.7, seed=None, faces="abc", size=2.0, correct=..., seconds=None):
    recipe = (
        ""
        if seed is None
        else {"name": f"r{seed}", "net": {"width": 32}, "training": {"seed": seed, "learning_rate": 0.1}}
    )
    facts = {"name": name, "parameters": 700_000, "megabytes": size, "milliseconds": 1.2, "recipe": recipe}
    metrics = {
        "model": facts,
        "split": "public",
        "fingerprint": faces,
        "accuracy": accuracy,
        "accuracy_no_duplicates": accuracy - 0.01,
        "balanced_accuracy": accuracy - 0.05,
        "ci95": [accuracy - 0.02, accuracy + 0.02],
        "ece": 0.03,
    }
    correct = RNG.random(900) < accuracy if correct is ... else correct
    return compare.EvaluatedModel(name, f"run of {name}", metrics, correct, seconds)


def test_rows_are_sorted_by_accuracy_and_the_best_two_are_tested():
    comparison = compare.compare_models([model("low", 0.5), model("high", 0.8), model("middle", 0.6)])
    assert [row.name for row in comparison.rows] == ["high", "middle", "low"]
    assert comparison.test.p < 1e-6
    assert "McNemar's test:\nsignificant (p = " in compare.format_comparison(comparison)


def test_comparison_says_what_chance_would_be():
    first, second = model("a", 0.8), model("b", 0.7)
    assert "chance" not in compare.format_comparison(compare.compare_models([first, second]))
    for each in (first, second):
        each.metrics["per_class"] = {"happy": {"support": 3}, "sad": {"support": 1}}
    text = compare.format_comparison(compare.compare_models([first, second]))
    assert "Accuracy by chance: 50.0 % (always happy: 75.0 %)." in text


def test_difference_of_the_best_two_has_its_standard_error():
    correct = np.arange(400) < 300
    other = correct & (np.arange(400) >= 16)
    comparison = compare.compare_models([model("a", 0.75, correct=correct), model("b", 0.71, correct=other)])
    assert "Difference of the accuracies: 4.00 points, with a standard error of 0.98." in compare.format_comparison(
        comparison
    )
    test = compare.comparison_values(comparison)["mcnemar"]
    assert (test["difference"], test["standard_error"]) == comparison.paired


def test_predictions_without_a_network_have_no_latency(tmp_path):
    """Out-of-fold predictions: the table has a dash, and the figure only models with a latency."""
    first, second = model("a", 0.8), model("b", 0.7)
    for each in (first, second):
        each.metrics["model"]["milliseconds"] = None
    comparison = compare.compare_models([first, second])
    assert compare.table_rows(comparison)[0]["ms"] == "-"
    assert "ms: one face" not in compare.format_comparison(comparison)
    (tmp_path / "none").mkdir()
    (tmp_path / "one").mkdir()
    compare.write_comparison(tmp_path / "none", comparison)
    assert {path.suffix for path in (tmp_path / "none").iterdir()} == {".json", ".txt", ".html"}
    compare.write_comparison(tmp_path / "one", compare.compare_models([first, model("c", 0.6)]))
    assert (tmp_path / "one" / "accuracy_and_speed.png").exists()


def test_equal_models_are_not_significantly_different():
    correct = RNG.random(900) < 0.7
    comparison = compare.compare_models([model("a", correct=correct), model("b", correct=correct)])
    assert comparison.test == (0, 0, 1.0)
    assert "not significant (p = 1)" in compare.format_comparison(comparison)


def test_seeds_of_one_recipe_are_averaged():
    runs = [model("net", 0.70, seed=0, seconds=60), model("net", 0.72, seed=1, seconds=120), model("other", 0.6)]
    [first, second] = compare.compare_models(runs).rows
    assert (first.name, second.name) == ("net (2 seeds)", "other")
    assert first.accuracy == pytest.approx(0.71)
    assert first.spread == pytest.approx(np.std([0.70, 0.72], ddof=1))
    assert first.training_seconds == 90
    assert "± 1.4" in compare.format_comparison(compare.compare_models(runs))


@pytest.mark.parametrize(
    "other",
    [
        model("net", 0.72, seed=0),  # the same seed again
        model("net", 0.72, seed=1, faces="other"),
        model("net", 0.72, seed=1, size=0.8),  # its int8 file
        model("net", 0.72),
    ],
)
def test_other_runs_are_not_seeds_of_one_recipe(other):
    assert len(compare.compare_models([model("net", 0.70, seed=0), other]).rows) == 2


def test_models_of_one_name_get_distinct_names():
    runs = [model("net"), model("net"), model("net")]
    runs[0] = replace(runs[0], location="first")
    assert {row.name for row in compare.compare_models(runs).rows} == {
        "net (first)",
        "net (run of net, 2)",
        "net (run of net, 3)",
    }


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (model("b", 0.6, faces="other"), "different faces"),
        (model("b", 0.6, correct=None), "the predictions of b were not stored"),
        (None, "nothing to compare"),
    ],
)
def test_comparison_explains_why_there_is_no_test(second, reason):
    comparison = compare.compare_models([each for each in (model("a"), second) if each])
    assert comparison.test is None
    assert reason in compare.format_comparison(comparison)


def test_title_names_splits_and_faces():
    assert compare.comparison_title(compare.compare_models([model("a"), model("b")])) == "Models on the public split"
    [other] = [replace(model("b"), metrics={**model().metrics, "split": "validation", "faces": 1500})]
    assert compare.comparison_title(compare.compare_models([other])) == "Models on the validation split: 1,500 faces"
    both = compare.compare_models([model("a", 0.8), other])
    assert compare.format_comparison(both).startswith("Models on the public split and the validation split\n\nmodel ")


def test_files_contain_the_table_with_escaped_names(tmp_path):
    comparison = compare.compare_models([model("a", seconds=4000), model("<b>", 0.6)])
    *_, page = compare.write_comparison(tmp_path, comparison)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".txt", ".html", ".png"}
    rows = json.loads((tmp_path / "comparison.json").read_text("utf-8"))["rows"]
    assert [row["accuracy"] for row in rows] == [0.7, 0.6]
    assert "&lt;b&gt;" in page.read_text("utf-8")
    assert "<b>" not in page.read_text("utf-8").partition("</style>")[2]
    assert "1 h 07" in (tmp_path / "comparison.txt").read_text("utf-8")


# From folders


def evaluation(folder, **facts):
    metrics = {**model().metrics, "faces": 3, **facts}
    (folder / "metrics.json").write_text(json.dumps(metrics), "utf-8")
    (folder / "predictions.csv").write_text("index,label,prediction\n4,sad,sad\n7,sad,fear\n9,happy,happy\n", "utf-8")
    return folder


def test_evaluation_is_read_from_its_folder(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,seconds\n1,30.5\n2,29.5\n", "utf-8")
    comparison = compare.read_evaluation(evaluation(tmp_path))
    assert comparison.correct.tolist() == [True, False, True]
    assert (comparison.name, comparison.location, comparison.training_seconds) == ("one", tmp_path.name, 60)


def test_folder_without_an_evaluation_is_none(tmp_path):
    assert compare.read_evaluation(tmp_path) is None
    (tmp_path / "metrics.json").write_text('{"accuracy": 0.6}')
    assert compare.read_evaluation(tmp_path) is None


@pytest.mark.parametrize(
    ("file", "content"), [("metrics.json", "{"), ("predictions.csv", "index,label,prediction\n1,sad,sad\n")]
)
def test_damaged_evaluation_is_an_error_that_names_the_file(tmp_path, file, content):
    (evaluation(tmp_path) / file).write_text(content)
    with pytest.raises(ExperimentError, match=file):
        compare.read_evaluation(tmp_path)
