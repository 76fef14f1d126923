"""Several models in one table: who stands where, whose seeds belong together, and when a test can be made."""

import json

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from mien.errors import ExperimentError
from mien.evaluation import compare, comparison_report

RNG = np.random.default_rng(5)


def entry(name="one", accuracy=0.7, seed=None, faces="abc", size=2.0, right=..., trained=None):
    recipe = "" if seed is None else {"name": f"r{seed}", "net": {"width": 32}, "training": {"seed": seed, "learning_rate": 0.1}}
    model = {"name": name, "parameters": 700_000, "megabytes": size, "milliseconds": 1.2, "recipe": recipe}
    metrics = {
        "model": model,
        "split": "public",
        "fingerprint": faces,
        "accuracy": accuracy,
        "accuracy_no_twins": accuracy - 0.01,
        "balanced_accuracy": accuracy - 0.05,
        "ci95": [accuracy - 0.02, accuracy + 0.02],
        "ece": 0.03,
    }
    right = RNG.random(900) < accuracy if right is ... else right
    return compare.EvaluatedModel(name, f"run of {name}", metrics, right, trained)


def test_the_most_accurate_stands_first():
    found = compare.compare_models([entry("low", 0.5), entry("high", 0.8), entry("middle", 0.6)])
    assert [row.name for row in found.rows] == ["high", "middle", "low"]
    assert found.test.p < 1e-6
    assert "McNemar's test:\nsignificant (p = " in comparison_report.format_comparison(found)


def test_equals_are_called_equals():
    right = RNG.random(900) < 0.7
    found = compare.compare_models([entry("a", right=right), entry("b", right=right)])
    assert found.test == (0, 0, 1.0)
    assert "not significant (p = 1)" in comparison_report.format_comparison(found)


def test_seeds_of_one_recipe_are_averaged():
    runs = [entry("net", 0.70, seed=0, trained=60), entry("net", 0.72, seed=1, trained=120), entry("other", 0.6)]
    [first, second] = compare.compare_models(runs).rows
    assert (first.name, second.name) == ("net (2 seeds)", "other")
    assert first.accuracy == pytest.approx(0.71)
    assert first.spread == pytest.approx(np.std([0.70, 0.72], ddof=1))
    assert first.trained == 90
    assert "± 1.4" in comparison_report.format_comparison(compare.compare_models(runs))


@pytest.mark.parametrize(
    "other",
    [
        entry("net", 0.72, seed=0),  # the same seed again
        entry("net", 0.72, seed=1, faces="other"),
        entry("net", 0.72, seed=1, size=0.8),  # its int8 file
        entry("net", 0.72),
    ],
)
def test_other_runs_are_not_seeds_of_one_recipe(other):
    assert len(compare.compare_models([entry("net", 0.70, seed=0), other]).rows) == 2


def test_models_of_one_name_are_told_apart():
    runs = [entry("net"), entry("net"), entry("net")]
    runs[0] = compare.replace(runs[0], place="first")
    assert {row.name for row in compare.compare_models(runs).rows} == {
        "net (first)",
        "net (run of net, 2)",
        "net (run of net, 3)",
    }


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (entry("b", 0.6, faces="other"), "different faces"),
        (entry("b", 0.6, right=None), "the answers of b were not kept"),
        (None, "nothing to compare"),
    ],
)
def test_why_there_is_no_test(second, why):
    found = compare.compare_models([each for each in (entry("a"), second) if each])
    assert found.test is None
    assert why in comparison_report.format_comparison(found)


def test_the_title_says_on_what_they_were_measured():
    assert (
        comparison_report.comparison_title(compare.compare_models([entry("a"), entry("b")]))
        == "Models on the public split"
    )
    [other] = [compare.replace(entry("b"), metrics={**entry().metrics, "split": "validation", "faces": 1500})]
    assert (
        comparison_report.comparison_title(compare.compare_models([other]))
        == "Models on the validation split: 1,500 faces"
    )
    both = compare.compare_models([entry("a", 0.8), other])
    assert comparison_report.format_comparison(both).startswith(
        "Models on the public split and the validation split\n\nmodel "
    )


def test_the_files_hold_the_table(tmp_path):
    found = compare.compare_models([entry("a", trained=4000), entry("<b>", 0.6)])
    *_, page = comparison_report.write_comparison(tmp_path, found)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".txt", ".html", ".png"}
    rows = json.loads((tmp_path / "comparison.json").read_text("utf-8"))["rows"]
    assert [row["accuracy"] for row in rows] == [0.7, 0.6]
    assert "&lt;b&gt;" in page.read_text("utf-8")
    assert "<b>" not in page.read_text("utf-8").partition("</style>")[2]
    assert "1 h 07" in (tmp_path / "comparison.txt").read_text("utf-8")


# From folders


def evaluation(folder, **facts):
    one = entry()
    (folder / "metrics.json").write_text(json.dumps({**one.metrics, "faces": 3, **facts}), "utf-8")
    (folder / "answers.csv").write_text("place,label,answer\n4,sad,sad\n7,sad,fear\n9,happy,happy\n", "utf-8")
    return folder


def test_an_evaluation_is_read_back(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,seconds\n1,30.5\n2,29.5\n", "utf-8")
    found = compare.read_evaluation(evaluation(tmp_path))
    assert found.right.tolist() == [True, False, True]
    assert (found.name, found.place, found.trained) == ("one", tmp_path.name, 60)


def test_a_folder_without_an_evaluation_is_none(tmp_path):
    assert compare.read_evaluation(tmp_path) is None
    (tmp_path / "metrics.json").write_text('{"accuracy": 0.6}')
    assert compare.read_evaluation(tmp_path) is None


@pytest.mark.parametrize(
    ("file", "content"), [("metrics.json", "{"), ("answers.csv", "place,label,answer\n1,sad,sad\n")]
)
def test_a_torn_evaluation_is_named(tmp_path, file, content):
    (evaluation(tmp_path) / file).write_text(content)
    with pytest.raises(ExperimentError, match=file):
        compare.read_evaluation(tmp_path)
