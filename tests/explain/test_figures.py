"""Figures of explanations: nothing is cut off, for any network and any text."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from explanations import make_explanation, make_layer
from mien import Engine, images
from mien.explain import Contribution, Counterfactual, Kernels, Regions, Saliency, figures
from mien.explain.figures.canvas import PAPER, ellipsize, load_font, printable_text, text_width, wrap_text
from mien.explain.figures.colormaps import colour_indices, colour_table
from mien.html import style_colours
from mien.results import Emotions, Score

EXAMPLES = Path(__file__).parents[2] / "examples"
BACKGROUND = np.array([int(PAPER[i : i + 2], 16) for i in (1, 3, 5)], np.uint8)


@pytest.fixture(scope="module")
def engine():
    return Engine.load(detector="haar")


@pytest.fixture(scope="module")
def pixels():
    return images.load_image(EXAMPLES / "hopper.jpg").pixels


@pytest.fixture(scope="module")
def explanation(engine, pixels):
    return engine.explain_image(pixels, methods=("cam", "occlusion"), layers="all")[0]


def has_margins(pixels) -> bool:
    """Is the margin on all sides empty, so that nothing is cut off?"""
    edge = np.concatenate([pixels[:20].reshape(-1, 3), pixels[-20:].reshape(-1, 3)])
    sides = np.concatenate([pixels[:, :20].reshape(-1, 3), pixels[:, -20:].reshape(-1, 3)])
    return bool((np.concatenate([edge, sides]) == BACKGROUND).all())


def has_content(pixels) -> bool:
    return bool((pixels != BACKGROUND).any())


def test_figures_of_a_face_have_margins_and_content(explanation, pixels):
    layers = {each.name: each for each in explanation.layers}
    drawings = [
        figures.draw_feature_maps(layers["stem.conv"], 48),
        figures.draw_feature_maps(layers["stage3.block2"], 48),
        figures.draw_feature_maps(layers["pooled"], 48, layers["stage3.block2"]),
        figures.draw_layers(explanation.layers, explanation.crop),
        figures.draw_softmax(explanation),
        figures.draw_contributions(explanation),
        figures.draw_costs(explanation),
        figures.draw_evidence_maps(explanation, pixels),
        figures.draw_evidence_maps(explanation),
        figures.draw_kernels(explanation.kernels),
        figures.draw_receptive_fields(explanation),
    ]
    assert [has_margins(each) and has_content(each) for each in drawings] == [True] * len(drawings)
    assert {each.dtype for each in drawings} == {np.dtype(np.uint8)}


def test_figures_depend_on_the_face(engine, explanation):
    other = engine.explain(np.asarray(255 - explanation.crop), layers="all")
    assert not np.array_equal(figures.draw_softmax(explanation), figures.draw_softmax(other))
    same = figures.draw_feature_maps(explanation.layer("stem"), 48)
    assert np.array_equal(same, figures.draw_feature_maps(explanation.layer("stem"), 48))
    assert not np.array_equal(same, figures.draw_feature_maps(other.layer("stem"), 48))


def test_layer_with_2000_channels_shows_64_of_them():
    random = np.random.default_rng(0)
    wide = make_layer(random.random((2000, 7, 7)), zero_activation=0)
    inactive = make_layer(
        np.where(np.arange(2000)[:, None, None] < 100, random.random((2000, 7, 7)), 0), zero_activation=1900
    )
    few = make_layer(random.random((64, 7, 7)))
    assert figures.draw_feature_maps(wide).shape[0] <= figures.draw_feature_maps(few).shape[0] + 60
    assert figures.draw_feature_maps(inactive).shape[0] <= figures.draw_feature_maps(few).shape[0] + 60
    assert has_margins(figures.draw_feature_maps(wide))


@pytest.mark.parametrize(
    "activations",
    [
        np.zeros((8, 5, 5)),
        np.ones((1, 1, 1)),
        np.full((3, 4, 6), -2.0),
        np.random.default_rng(1).normal(size=(5, 300, 400)),
        np.zeros(40),
        np.linspace(-1, 1, 7),
        np.random.default_rng(2).random(3000),
        np.array([0.5]),
    ],
    ids=str,
)
def test_figure_of_any_layer_has_margins(activations):
    odd = make_layer(activations, "odd", "pool")
    assert has_margins(figures.draw_feature_maps(odd, 48))
    assert has_margins(figures.draw_layers([odd, odd], np.zeros((48, 48, 3), np.uint8)))


def test_long_layer_name_is_shortened(explanation):
    long = replace(explanation.layers[0], name="the.very.long.name.of." + "a_layer_that_goes_on_" * 12)
    assert has_margins(figures.draw_feature_maps(long, 48))
    assert has_margins(figures.draw_layers([long], explanation.crop))
    costs = replace(explanation, costs=tuple(each._replace(layer="x" * 200) for each in explanation.costs))
    assert has_margins(figures.draw_costs(costs))


def test_label_without_printable_characters_gets_a_number():
    odd = make_explanation(emotions=Emotions((Score("笑顔", 0.6), Score("très fâché " * 9, 0.4))))
    assert has_margins(figures.draw_softmax(odd))


def test_model_without_a_graph_has_a_softmax_figure():
    assert has_margins(figures.draw_softmax(make_explanation()))
    assert has_margins(figures.draw_layers((), make_explanation().crop))


def test_uncertain_mixture_adds_sentences(explanation):
    mixture = (Score("sad", 0.5), Score("neutral", 0.4))
    uncertain = replace(explanation.emotions, uncertain="no expression stands out", mixture=mixture)
    certain = replace(explanation.emotions, uncertain=None, mixture=())
    plain, mixed = (figures.draw_softmax(replace(explanation, emotions=each)) for each in (certain, uncertain))
    assert mixed.shape[0] > plain.shape[0]


def test_map_without_evidence_leaves_the_face_unchanged():
    flat = Saliency(np.zeros((48, 48), np.float32), "happy", "cam")
    explanation = make_explanation(maps=(flat,), regions=(Regions("cam", "mean geometry", ()),))
    figure = figures.draw_evidence_maps(explanation)
    assert has_margins(figure)
    face, overlay = figure[200:400, 60:360], figure[200:400, 60 + 360 : 360 + 360]
    assert np.abs(face.astype(int) - overlay.astype(int)).max() <= 1


def test_negative_evidence_is_blue():
    values = np.zeros((48, 48), np.float32)
    values[:, :24], values[:, 24:] = 1.0, -1.0
    signed = Saliency(values, "happy", "rise", "sad")
    regions = Regions("rise", "landmarks", (Score("mouth", 1.0),))
    overlay = figures.draw_evidence_maps(make_explanation(maps=(signed,), regions=(regions,)))[220:380, 430:730].astype(
        int
    )
    left, right = overlay[:, :100].mean(axis=(0, 1)), overlay[:, -100:].mean(axis=(0, 1))
    assert left[0] > left[2] + 40
    assert right[2] > right[0] + 40


def test_counterfactual_is_marked():
    flat = Saliency(np.zeros((48, 48), np.float32), "happy", "occlusion")
    explanation = make_explanation(
        maps=(flat,), regions=(Regions("occlusion", "mean geometry", ()),), counterfactual_searched=True
    )
    marked = replace(explanation, counterfactual=Counterfactual(10, 10, 12, 12, 0.06, "sad", 0.5))
    mark = np.array([127, 240, 226])
    assert not (figures.draw_evidence_maps(explanation) == mark).all(axis=2).any()
    assert (figures.draw_evidence_maps(marked) == mark).all(axis=2).any()


def test_numbers_appear_on_a_copy(engine):
    pixels = images.load_image(EXAMPLES / "portraits.jpg").pixels
    before = pixels.copy()
    faces = engine.explain_image(pixels, methods=())
    numbered = figures.number_faces(pixels, faces)
    assert np.array_equal(pixels, before)
    for each in faces:
        x, y = each.face.box.x + each.face.box.width, each.face.box.y + each.face.box.height
        assert not np.array_equal(numbered[y - 5 : y + 5, x - 5 : x + 5], before[y - 5 : y + 5, x - 5 : x + 5])


def test_figures_of_few_kernels_and_many_contributions_have_margins():
    few = Kernels("first", np.random.default_rng(0).normal(size=(3, 3, 5, 5)).astype(np.float32))
    many = tuple(Contribution(k, 0.1, 0.2 if k % 2 else -0.2, 0.02 if k % 2 else -0.02) for k in range(2000))
    assert has_margins(figures.draw_kernels(few))
    assert has_margins(figures.draw_contributions(make_explanation(contributions=many, bias=-1.0)))


def test_figure_of_top_activating_faces_accepts_a_channel_without_any():
    random = np.random.default_rng(0)
    faces = random.integers(0, 255, (30, 48, 48), np.uint8)
    spatial = make_layer(random.random((6, 5, 5)))
    assert has_margins(figures.draw_top_activating(spatial, faces, {3: tuple(range(9)), 1: (), 0: (4,)}))
    assert has_margins(figures.draw_top_activating(make_layer(random.random(6)), faces, {2: (1, 2)}))
    assert has_margins(figures.draw_top_activating(spatial, faces, {}))


# Text and colours


@pytest.mark.parametrize("text", ["a sentence that needs several lines", "x" * 300, "", "w " * 90])
@pytest.mark.parametrize("width", [60, 200, 900])
def test_lines_of_wrapped_text_fit_into_the_width(text, width):
    lines = wrap_text(text, 22, width)
    assert all(text_width(line, 22) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert text_width(ellipsize(text, 22, width), 22) <= width


def test_printable_text_has_only_characters_of_the_font():
    missing = load_font(40).getmask("\u4e00").getbbox()
    for character in printable_text("a×b −1 – — ‘x’ “y” … ° é ü ñ 笑 😊 \n\t %"):
        assert character == " " or load_font(40).getmask(character).getbbox() != missing
    assert printable_text("façade × 3 − 1") == "facade x 3 - 1"
    assert printable_text("笑顔") == ""


@pytest.mark.parametrize("name", ["sea", "ember"])
def test_scale_has_increasing_lightness(name):
    lightness = colour_table(name).astype(float) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) >= -0.5).all()
    assert lightness[-1] - lightness[0] > 200


def test_signed_scale_is_lightest_in_the_middle_between_blue_and_orange():
    tide = colour_table("tide").astype(float)
    lightness = tide @ [0.2126, 0.7152, 0.0722]
    assert 118 <= int(lightness.argmax()) <= 138
    assert tide[0, 2] > tide[0, 0]
    assert tide[-1, 0] > tide[-1, 2]


def test_values_have_their_index_on_the_scale():
    values = np.array([-1.0, 0.0, 0.5, 1.0], np.float32)
    assert colour_indices(values, "sea").tolist() == [0, 0, 128, 255]
    assert colour_indices(values, "tide").tolist() == [0, 128, 191, 255]
    assert colour_indices(values, "sea", 2.0).tolist() == [0, 0, 64, 128]
    assert colour_indices(np.zeros(3, np.float32), "tide").tolist() == [128] * 3


def test_figures_and_page_import_no_package_of_the_extras():
    code = (
        "import sys; from mien.explain import figures, page; "
        "extras = ('matplotlib', 'keras', 'tensorflow', 'pandas', 'mien.training'); "
        "print([name for name in extras if name in sys.modules])"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "[]"


def test_figures_of_a_dark_page_have_its_colours(explanation):
    light = figures.draw_softmax(explanation)
    with figures.use_dark_colours():
        dark = figures.draw_softmax(explanation)
    assert tuple(dark[0, 0]) == tuple(bytes.fromhex(style_colours(dark=True)["paper"][1:]))
    assert dark.shape == light.shape
    assert light.mean() > 200 > 80 > dark.mean()
    assert (figures.draw_softmax(explanation) == light).all()
