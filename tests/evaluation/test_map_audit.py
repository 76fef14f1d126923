"""The audit of maps: on a network whose evidence is known every method holds, and one that draws edges fails."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from command import mien
from fakes import FakeClassifier
from mien.errors import ExperimentError
from mien.evaluation import map_audit
from mien.explain import faithfulness
from mien.explain.explainer import Explainer
from mien.models import ModelCard, load_classifier
from patch_network import build_patch_network, make_patch_faces
from tiny import tiny_model

plots = pytest.importorskip("mien.plots")
room = pytest.importorskip("mien.evaluation.map_audit")
sheet = pytest.importorskip("mien.evaluation.map_audit_report")


def edges(inside, face, target):
    return faithfulness.edge_baseline(face)


@pytest.fixture(scope="module")
def audited():
    methods = room.own_methods("cam,occlusion,rise") | {"fake": edges}
    return room.audit(build_patch_network(), make_patch_faces(16), methods, split="made")


def test_every_method_holds_and_the_fake_fails(audited):
    figures = audited.figures
    assert {name for name, told in figures["methods"].items() if told["believable"]} == {"cam", "occlusion", "rise"}
    assert figures["default"] == "cam"
    assert "Do not show fake" in figures["verdict"]
    fake = figures["methods"]["fake"]["verdict"]
    assert re.search(r"does not beat .*edges.* on both curves", fake)
    assert "every weight is shuffled" in fake


@pytest.mark.parametrize(
    ("gain", "likeness", "standing", "said"),
    [
        ([0.1, 0.05, 0.15], 0.2, "holds", "It can be believed"),
        ([0.1, -0.05, 0.2], 0.2, "unsure", "ahead of edges, but 9 faces are too few"),
        ([-0.1, -0.2, 0.1], 0.2, "fails", "does not beat edges"),
        ([0.1, 0.05, 0.15], 0.8, "fails", "much the same map (0.80 alike)"),
    ],
)
def test_a_method_holds_or_fails_or_needs_more_faces(gain, likeness, standing, said):
    told = {
        "insertion": [0.5, 0.4, 0.6],
        "against": {"edges": {"deletion": gain, "insertion": [0.1, 0.05, 0.2]}},
        "shuffled": [{"layer": "stem", "likeness": likeness}],
        "stability": [0.9, 0.8, 1.0],
    }
    figures = {"model": "known", "faces": 9, "methods": {"cam": told}, "agreement": {"cam": {"centre": 0.1}}}
    judged = map_audit.add_verdicts(figures)
    assert judged["methods"]["cam"]["standing"] == standing
    assert said in judged["methods"]["cam"]["verdict"]
    assert judged["default"] == ("cam" if standing == "holds" else None)
    assert judged["verdict"].startswith("Of known's maps, cam tells" if standing == "holds" else "No map of known")


def test_gains_are_the_differences_of_the_areas(audited):
    methods, baselines = audited.figures["methods"], audited.figures["baselines"]
    for told in methods.values():
        for name, gain in told["against"].items():
            away, back = (told[c][0] - baselines[name][c][0] for c in ("deletion", "insertion"))
            assert gain["deletion"][0] == pytest.approx(-away, abs=2e-4)
            assert gain["insertion"][0] == pytest.approx(back, abs=2e-4)
            assert all(low <= mean <= high for mean, low, high in gain.values())
    for told in [*methods.values(), *baselines.values()]:
        for curve in ("deletion", "insertion"):
            heights = np.array(told["curves"][curve])
            assert told[curve][0] == pytest.approx((heights[:-1] + heights[1:]).mean() / 2, abs=1e-3)


def test_curves_begin_and_end_where_all_maps_agree(audited):
    every = [*audited.figures["methods"].values(), *audited.figures["baselines"].values()]
    for curve, whole in (("deletion", 0), ("insertion", -1)):
        assert {told["curves"][curve][whole] for told in every} == {every[0]["curves"]["deletion"][0]}


def test_the_same_seed_gives_the_same_audit(audited):
    again = room.audit(build_patch_network(), make_patch_faces(16), room.own_methods("cam,rise"), split="made").figures
    for name in ("cam", "rise"):
        one, other = audited.figures["methods"][name], again["methods"][name]
        assert {**one, "milliseconds": 0} == {**other, "milliseconds": 0}


def test_shuffling_goes_from_the_last_layer_to_the_first_and_keeps_the_numbers():
    inside = Explainer(load_classifier(build_patch_network()))
    stages = list(map_audit.randomize_weights(build_patch_network()))
    assert [layer for layer, _ in stages] == ["shares/logits", "patch", "stripes/conv"]
    before = inside.structure.graph
    for count, (_, model) in enumerate(stages, 1):
        card, after = ModelCard.read(model), Explainer(load_classifier(model)).structure.graph
        assert card.name == "known"
        changed = []
        for name in ("shares/kernel", "mask", "stripes/kernel"):
            np.testing.assert_array_equal(np.sort(before.constant(name), None), np.sort(after.constant(name), None))
            changed.append(not np.array_equal(before.constant(name), after.constant(name)))
        assert changed[count:] == [False] * (3 - count)
        np.testing.assert_array_equal(before.constant("shares/bias"), after.constant("shares/bias"))
    assert changed == [True] * 3


def test_stages_are_few_for_deep_networks():
    from mien.models import resolve_model

    stages = list(map_audit.randomize_weights(resolve_model("base").read_bytes()))
    assert len(stages) == map_audit.STAGES
    load_classifier(stages[-1][1])


def test_a_network_without_class_maps_is_audited_without_them():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8)).astype(np.uint8)
    figures = room.audit(tiny_model(), pixels).figures
    assert list(figures["methods"]) == ["occlusion", "rise"]


def test_no_face_is_said():
    with pytest.raises(ExperimentError, match="no face to audit"):
        room.audit(build_patch_network(), make_patch_faces(0))


def test_rank_agreement():
    chance = np.random.default_rng(0)
    one = chance.random((24, 24))
    assert faithfulness.rank_correlation(one, 2 * one + 1) == pytest.approx(1)
    assert faithfulness.rank_correlation(one, -one) == pytest.approx(-1)
    assert abs(faithfulness.rank_correlation(one, chance.random((24, 24)))) < 0.3
    assert faithfulness.rank_correlation(one, np.ones((24, 24))) == 0


def test_a_right_map_takes_the_answer_away_at_once():
    """A classifier that looks at the brightness of the first rows only."""

    def ask(pixels):
        bright = pixels[:, :8].reshape(len(pixels), -1).mean(axis=1) / 255
        return np.stack([bright, 1 - bright], axis=1).astype(np.float32)

    face = np.zeros((48, 48, 1), np.uint8)
    face[:8] = 255
    right, wrong = np.zeros((2, 48, 48), np.float32)
    right[:8], wrong[-8:] = 1, 1
    good, bad = (faithfulness.compute_curves(ask, face, each, 0) for each in (right, wrong))
    assert good.areas[0] < bad.areas[0] - 0.1
    assert good.areas[1] > bad.areas[1] + 0.1
    assert good.deletion[0] == bad.deletion[0] == good.insertion[-1]


def test_the_folder_holds_figures_drawings_and_the_page(audited, tmp_path):
    files = sheet.write(tmp_path, audited)
    assert {path.name for path in files} == {
        "taken_away.png",
        "brought_back.png",
        "shuffles.png",
        "agreement.png",
        "audit.json",
        "audit.html",
    }
    told = json.loads((tmp_path / "audit.json").read_text())
    assert told["verdict"] == audited.figures["verdict"]
    page = (tmp_path / "audit.html").read_text()
    HTMLParser().feed(page)
    assert all(word in page for word in ("fake", "Do not believe it", "Deletion", "shuffled weights"))
    assert not re.search(r"(src|href)=.https?:", page)


def test_what_goes_into_a_card_is_a_card(audited):
    card = ModelCard("known", ("a", "b"), metrics={"maps": sheet.for_card(audited.figures)})
    again = ModelCard.from_json(card.to_json()).scores["maps"]
    assert again["cam"]["beats"] == "random, centre, edges"
    assert again["faces"] == 16
    assert again["edges"]["deletion"][0] > again["cam"]["deletion"][0]


def test_the_classifier_may_hide_its_graph():
    """Only files can be audited, for their weights are shuffled; but the maps are drawn all the same."""
    inside = Explainer(FakeClassifier())
    face = np.full((8, 8, 1), 90, np.uint8)
    assert inside.saliency(face, "cam", "happy").method == "occlusion"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "drawn"
    assert mien("data", "sample", folder, "--faces", "140") == 0
    return folder / "fer2013.csv"


def test_the_command_writes_the_folder_and_says_the_verdict(data, tmp_path, capsys):
    out = tmp_path / "out"
    assert mien("audit", "--model", "base", "--data", data, "-n", "3", "--methods", "cam", "-o", out) == 0
    said = capsys.readouterr()
    assert "deletion" in said.out
    assert str(out / "audit.html") in said.err
    told = json.loads((out / "audit.json").read_text())
    assert (told["faces"], told["split"], list(told["methods"])) == (3, "public", ["cam"])


def test_strict_fails_where_no_map_can_be_believed(data, tmp_path, capsys):
    words = ["audit", "--data", data, "-n", "2", "--methods", "cam", "--json", "-o", tmp_path / "out"]
    assert mien(*words) == 0
    believed = json.loads(capsys.readouterr().out)["default"]
    assert mien(*words, "--strict") == (0 if believed else 1)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--methods", "camm"], 1, "Did you mean 'cam'?"),
        (["--model", "bass"], 2, "There is no model 'bass'"),
        (["-n", "1"], 2, "1 is not in the range"),
    ],
)
def test_wrong_words_are_told_and_leave_nothing_behind(data, tmp_path, words, code, said, capsys):
    assert mien("audit", "--data", data, "-o", tmp_path / "out", *words) == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_embedded_models_carry_their_audit_and_their_default_map_holds():
    from mien.models import resolve_model
    from mien.models.checksums import read_checksums

    results = Path(__file__).parents[2] / "benchmarks" / "results" / "audit.json"
    measured = json.loads(results.read_text())["figures"]
    for name in read_checksums():
        inside = Explainer(load_classifier(resolve_model(name)))
        told = inside.card.metrics["maps"]
        assert told["faces"] >= 500
        assert told["default"] == inside.default_method, "what is shown when nothing is said must be believable"
        assert (told[inside.default_method]["standing"], told[inside.default]["beats"]) == (
            "holds",
            "random, centre, edges",
        )
        assert told == sheet.for_card(measured[name])
