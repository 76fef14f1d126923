"""The audit of evidence maps, on a network that uses one known patch of the face."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from command import mien
from fakes import FakeClassifier
from mien.errors import ExperimentError
from mien.explain import faithfulness
from mien.explain.explainer import Explainer
from mien.models import ModelCard, load_classifier
from patch_network import build_patch_network, make_patch_faces
from tiny import tiny_model

plots = pytest.importorskip("mien.plots")
map_audit = pytest.importorskip("mien.evaluation.map_audit")


def edges(explainer, face, target):
    return faithfulness.edge_baseline(face)


@pytest.fixture(scope="module")
def audited():
    methods = map_audit.engine_methods("cam,occlusion,rise") | {"fake": edges}
    return map_audit.audit_maps(build_patch_network(), make_patch_faces(16), methods, split="patches")


def test_real_methods_are_trusted_and_the_edge_detector_is_not(audited):
    values = audited.values
    assert {name for name, result in values["methods"].items() if result["verdict"] == "trusted"} == {
        "cam",
        "occlusion",
        "rise",
    }
    assert values["default"] == "cam"
    assert "Not trusted: fake" in values["summary"]
    fake = values["methods"]["fake"]["summary"]
    assert re.search(r"is not better than .*edges.* on both curves", fake)
    assert "all weights are randomized" in fake


@pytest.mark.parametrize(
    ("gain", "similarity", "verdict", "summary"),
    [
        ([0.1, 0.05, 0.15], 0.2, "trusted", "Trusted: it is better than edges"),
        ([0.1, -0.05, 0.2], 0.2, "unsure", "better than edges, but 9 faces are too few"),
        ([-0.1, -0.2, 0.1], 0.2, "not trusted", "is not better than edges"),
        ([0.1, 0.05, 0.15], 0.8, "not trusted", "hardly changes (similarity 0.80)"),
    ],
)
def test_method_is_trusted_not_trusted_or_unsure(gain, similarity, verdict, summary):
    result = {
        "insertion": [0.5, 0.4, 0.6],
        "against": {"edges": {"deletion": gain, "insertion": [0.1, 0.05, 0.2]}},
        "weight_randomization": [{"layer": "stem", "similarity": similarity}],
        "stability": [0.9, 0.8, 1.0],
    }
    values = {"model": "known", "faces": 9, "methods": {"cam": result}, "agreement": {"cam": {"centre": 0.1}}}
    values = map_audit.add_verdicts(values)
    assert values["methods"]["cam"]["verdict"] == verdict
    assert summary in values["methods"]["cam"]["summary"]
    assert values["default"] == ("cam" if verdict == "trusted" else None)
    start = "Of known's maps, cam is trusted" if verdict == "trusted" else "No map of known is trusted"
    assert values["summary"].startswith(start)


def test_gains_are_differences_of_the_areas(audited):
    methods, baselines = audited.values["methods"], audited.values["baselines"]
    for result in methods.values():
        for name, gain in result["against"].items():
            deletion, insertion = (result[c][0] - baselines[name][c][0] for c in ("deletion", "insertion"))
            assert gain["deletion"][0] == pytest.approx(-deletion, abs=2e-4)
            assert gain["insertion"][0] == pytest.approx(insertion, abs=2e-4)
            assert all(low <= mean <= high for mean, low, high in gain.values())
    for result in [*methods.values(), *baselines.values()]:
        for curve in ("deletion", "insertion"):
            heights = np.array(result["curves"][curve])
            assert result[curve][0] == pytest.approx((heights[:-1] + heights[1:]).mean() / 2, abs=1e-3)


def test_all_curves_have_the_same_ends(audited):
    every = [*audited.values["methods"].values(), *audited.values["baselines"].values()]
    for curve, end in (("deletion", 0), ("insertion", -1)):
        assert {result["curves"][curve][end] for result in every} == {every[0]["curves"]["deletion"][0]}


def test_audit_depends_only_on_the_seed(audited):
    methods = map_audit.engine_methods("cam,rise")
    again = map_audit.audit_maps(build_patch_network(), make_patch_faces(16), methods, split="patches").values
    for name in ("cam", "rise"):
        first, second = audited.values["methods"][name], again["methods"][name]
        assert {**first, "milliseconds": 0} == {**second, "milliseconds": 0}


def test_weight_randomization_permutes_layers_from_the_last_to_the_first():
    explainer = Explainer(load_classifier(build_patch_network()))
    stages = list(map_audit.randomize_weights(build_patch_network()))
    assert [layer for layer, _ in stages] == ["scores/logits", "patch", "stripes/conv"]
    before = explainer.structure.graph
    for count, (_, model) in enumerate(stages, 1):
        card, after = ModelCard.read(model), Explainer(load_classifier(model)).structure.graph
        assert card.name == "known"
        changed = []
        for name in ("scores/kernel", "mask", "stripes/kernel"):
            np.testing.assert_array_equal(np.sort(before.constant(name), None), np.sort(after.constant(name), None))
            changed.append(not np.array_equal(before.constant(name), after.constant(name)))
        assert changed[count:] == [False] * (3 - count)
        np.testing.assert_array_equal(before.constant("scores/bias"), after.constant("scores/bias"))
    assert changed == [True] * 3


def test_deep_networks_have_a_limited_number_of_stages():
    from mien.models import resolve_model

    stages = list(map_audit.randomize_weights(resolve_model("base").read_bytes()))
    assert len(stages) == map_audit.STAGES
    load_classifier(stages[-1][1])


def test_network_without_class_maps_is_audited_with_other_methods():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8)).astype(np.uint8)
    values = map_audit.audit_maps(tiny_model(), pixels).values
    assert list(values["methods"]) == ["occlusion", "rise"]


def test_no_face_is_an_error():
    with pytest.raises(ExperimentError, match="no face to audit"):
        map_audit.audit_maps(build_patch_network(), make_patch_faces(0))


def test_rank_correlation():
    rng = np.random.default_rng(0)
    first = rng.random((24, 24))
    assert faithfulness.rank_correlation(first, 2 * first + 1) == pytest.approx(1)
    assert faithfulness.rank_correlation(first, -first) == pytest.approx(-1)
    assert abs(faithfulness.rank_correlation(first, rng.random((24, 24)))) < 0.3
    assert faithfulness.rank_correlation(first, np.ones((24, 24))) == 0


def test_correct_map_has_better_deletion_and_insertion():
    """The classifier depends only on the brightness of the first rows."""

    def score(pixels):
        bright = pixels[:, :8].reshape(len(pixels), -1).mean(axis=1) / 255
        return np.stack([bright, 1 - bright], axis=1).astype(np.float32)

    face = np.zeros((48, 48, 1), np.uint8)
    face[:8] = 255
    correct, wrong = np.zeros((2, 48, 48), np.float32)
    correct[:8], wrong[-8:] = 1, 1
    good, bad = (faithfulness.compute_curves(score, face, each, 0) for each in (correct, wrong))
    assert good.areas[0] < bad.areas[0] - 0.1
    assert good.areas[1] > bad.areas[1] + 0.1
    assert good.deletion[0] == bad.deletion[0] == good.insertion[-1]


def test_folder_has_json_figures_and_page(audited, tmp_path):
    files = map_audit.write_audit(tmp_path, audited)
    assert {path.name for path in files} == {
        "deletion.png",
        "insertion.png",
        "weight_randomization.png",
        "agreement.png",
        "audit.json",
        "audit.html",
    }
    values = json.loads((tmp_path / "audit.json").read_text())
    assert values["summary"] == audited.values["summary"]
    page = (tmp_path / "audit.html").read_text()
    HTMLParser().feed(page)
    assert all(word in page for word in ("fake", "Not trusted", "Deletion", "weight randomization"))
    assert not re.search(r"(src|href)=.https?:", page)


def test_card_values_can_be_stored_in_a_card(audited):
    card = ModelCard("known", ("a", "b"), metrics={"maps": map_audit.card_values(audited.values)})
    again = ModelCard.from_json(card.to_json()).metrics["maps"]
    assert again["cam"]["beats"] == "random, centre, edges"
    assert again["faces"] == 16
    assert again["edges"]["deletion"][0] > again["cam"]["deletion"][0]


def test_classifier_without_a_graph_uses_occlusion():
    explainer = Explainer(FakeClassifier())
    face = np.full((8, 8, 1), 90, np.uint8)
    assert explainer.saliency(face, "cam", "happy").method == "occlusion"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "drawn"
    assert mien("data", "sample", folder, "--faces", "140") == 0
    return folder / "synthetic.csv"


@pytest.mark.full
def test_command_writes_the_folder_and_prints_the_result(data, tmp_path, capsys):
    out = tmp_path / "out"
    assert mien("audit", "--model", "base", "--data", data, "-n", "3", "--methods", "cam", "-o", out) == 0
    output = capsys.readouterr()
    assert "deletion" in output.out
    assert str(out / "audit.html") in output.err
    values = json.loads((out / "audit.json").read_text())
    assert (values["faces"], values["split"], list(values["methods"])) == (3, "public", ["cam"])


@pytest.mark.full
def test_strict_fails_when_no_map_is_trusted(data, tmp_path, capsys):
    words = ["audit", "--data", data, "-n", "2", "--methods", "cam", "--json", "-o", tmp_path / "out"]
    assert mien(*words) == 0
    default = json.loads(capsys.readouterr().out)["default"]
    assert mien(*words, "--strict") == (0 if default else 1)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--methods", "camm"], 1, "Did you mean 'cam'?"),
        (["--model", "bass"], 2, "There is no model 'bass'"),
        (["-n", "1"], 2, "1 is not in the range"),
    ],
)
def test_wrong_arguments_are_errors_and_leave_no_folder(data, tmp_path, arguments, status, message, capsys):
    assert mien("audit", "--data", data, "-o", tmp_path / "out", *arguments) == status
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_embedded_models_have_an_audit_and_a_trusted_default_method():
    from mien.models import resolve_model
    from mien.models.checksums import read_checksums

    results = Path(__file__).parents[2] / "benchmarks" / "results" / "audit.json"
    measured = json.loads(results.read_text())["figures"]
    for name in read_checksums():
        explainer = Explainer(load_classifier(resolve_model(name)))
        result = explainer.card.metrics["maps"]
        assert result["faces"] >= 500
        assert result["default"] == explainer.default_method, "the default method must be trusted"
        row = result[explainer.default_method]
        assert (row["verdict"], row["beats"]) == ("trusted", "random, centre, edges")
        assert result == map_audit.card_values(measured[name])
