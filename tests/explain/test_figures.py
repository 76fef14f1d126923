"""Explanations as pictures: nothing cut off, nothing missing, whatever the network and its words."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from explanations import bare, layer
from mien import Engine, images
from mien.explain import Contribution, Counterfactual, Kernels, Regions, Saliency, figures
from mien.explain.figures.canvas import PAPER, ellipsize, load_font, printable_text, text_width, wrap_text
from mien.explain.figures.colormaps import colour_indices, colour_table
from mien.results import Emotions, Score

EXAMPLES = Path(__file__).parents[2] / "examples"
GROUND = np.array([int(PAPER[i : i + 2], 16) for i in (1, 3, 5)], np.uint8)


@pytest.fixture(scope="module")
def engine():
    return Engine.load(detector="haar")


@pytest.fixture(scope="module")
def photo():
    return images.load_image(EXAMPLES / "hopper.jpg").pixels


@pytest.fixture(scope="module")
def told(engine, photo):
    return engine.explain_image(photo, methods=("cam", "occlusion"), layers="all")[0]


def framed(pixels) -> bool:
    """Is the margin all around untouched, so that nothing is cut off?"""
    edge = np.concatenate([pixels[:20].reshape(-1, 3), pixels[-20:].reshape(-1, 3)])
    sides = np.concatenate([pixels[:, :20].reshape(-1, 3), pixels[:, -20:].reshape(-1, 3)])
    return bool((np.concatenate([edge, sides]) == GROUND).all())


def inked(pixels) -> bool:
    return bool((pixels != GROUND).any())


def test_every_picture_of_a_real_face_stands_within_its_margins(told, photo):
    layers = {each.name: each for each in told.layers}
    drawn = [
        figures.draw_feature_maps(layers["stem.conv"], 48),
        figures.draw_feature_maps(layers["stage3.block2"], 48),
        figures.draw_feature_maps(layers["pooled"], 48, layers["stage3.block2"]),
        figures.draw_layers(told.layers, told.crop),
        figures.draw_softmax(told),
        figures.draw_contributions(told),
        figures.draw_costs(told),
        figures.draw_evidence_maps(told, photo),
        figures.draw_evidence_maps(told),
        figures.draw_kernels(told.kernels),
        figures.draw_receptive_fields(told),
    ]
    assert [framed(each) and inked(each) for each in drawn] == [True] * len(drawn)
    assert {each.dtype for each in drawn} == {np.dtype(np.uint8)}


def test_what_they_draw_depends_on_the_face(engine, told):
    other = engine.explain(np.asarray(255 - told.crop), layers="all")
    assert not np.array_equal(figures.draw_softmax(told), figures.draw_softmax(other))
    same = figures.draw_feature_maps(told.layer("stem"), 48)
    assert np.array_equal(same, figures.draw_feature_maps(told.layer("stem"), 48))
    assert not np.array_equal(same, figures.draw_feature_maps(other.layer("stem"), 48))


def test_a_layer_of_two_thousand_channels_shows_64_and_counts_the_rest():
    chance = np.random.default_rng(0)
    wide = layer(chance.random((2000, 7, 7)), zero_activation=0)
    silent = layer(np.where(np.arange(2000)[:, None, None] < 100, chance.random((2000, 7, 7)), 0), zero_activation=1900)
    few = layer(chance.random((64, 7, 7)))
    assert figures.draw_feature_maps(wide).shape[0] <= figures.draw_feature_maps(few).shape[0] + 60
    assert figures.draw_feature_maps(silent).shape[0] <= figures.draw_feature_maps(few).shape[0] + 60
    assert framed(figures.draw_feature_maps(wide))


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
def test_any_shape_of_layer_is_drawn(activations):
    odd = layer(activations, "odd", "pool")
    assert framed(figures.draw_feature_maps(odd, 48))
    assert framed(figures.draw_layers([odd, odd], np.zeros((48, 48, 3), np.uint8)))


def test_a_long_name_is_shortened_and_not_cut(told):
    long = replace(told.layers[0], name="the.very.long.name.of." + "a_layer_that_goes_on_" * 12)
    assert framed(figures.draw_feature_maps(long, 48))
    assert framed(figures.draw_layers([long], told.crop))
    costs = replace(told, costs=tuple(each._replace(layer="x" * 200) for each in told.costs))
    assert framed(figures.draw_costs(costs))


def test_labels_that_cannot_be_written_get_a_number():
    odd = bare(emotions=Emotions((Score("笑顔", 0.6), Score("très fâché " * 9, 0.4))))
    assert framed(figures.draw_softmax(odd))


def test_a_model_that_shows_nothing_still_gets_its_shares():
    assert framed(figures.draw_softmax(bare()))
    assert framed(figures.draw_layers((), bare().crop))


def test_an_uncertain_mixed_reading_says_so(told):
    mixture = (Score("sad", 0.5), Score("neutral", 0.4))
    doubt = replace(told.emotions, uncertain="no expression stands out", mixture=mixture)
    sure = replace(told.emotions, uncertain=None, mixture=())
    plain, mixed = (figures.draw_softmax(replace(told, emotions=each)) for each in (sure, doubt))
    assert mixed.shape[0] > plain.shape[0]


def test_a_map_without_evidence_is_drawn_as_the_face_alone():
    flat = Saliency(np.zeros((48, 48), np.float32), "happy", "cam")
    told = bare(maps=(flat,), regions=(Regions("cam", "mean geometry", ()),))
    drawn = figures.draw_evidence_maps(told)
    assert framed(drawn)
    face, over = drawn[200:400, 60:360], drawn[200:400, 60 + 360 : 360 + 360]
    assert np.abs(face.astype(int) - over.astype(int)).max() <= 1


def test_a_contrast_is_blue_where_it_speaks_against():
    values = np.zeros((48, 48), np.float32)
    values[:, :24], values[:, 24:] = 1.0, -1.0
    signed = Saliency(values, "happy", "rise", "sad")
    regions = Regions("rise", "landmarks", (Score("mouth", 1.0),))
    over = figures.draw_evidence_maps(bare(maps=(signed,), regions=(regions,)))[220:380, 430:730].astype(int)
    left, right = over[:, :100].mean(axis=(0, 1)), over[:, -100:].mean(axis=(0, 1))
    assert left[0] > left[2] + 40
    assert right[2] > right[0] + 40


def test_the_patch_that_flips_the_answer_is_marked():
    flat = Saliency(np.zeros((48, 48), np.float32), "happy", "occlusion")
    told = bare(maps=(flat,), regions=(Regions("occlusion", "mean geometry", ()),), counterfactual_searched=True)
    marked = replace(told, counterfactual=Counterfactual(10, 10, 12, 12, 0.06, "sad", 0.5))
    mark = np.array([127, 240, 226])
    assert not (figures.draw_evidence_maps(told) == mark).all(axis=2).any()
    assert (figures.draw_evidence_maps(marked) == mark).all(axis=2).any()


def test_faces_are_numbered_on_a_copy(engine):
    pixels = images.load_image(EXAMPLES / "portraits.jpg").pixels
    before = pixels.copy()
    faces = engine.explain_image(pixels, methods=())
    from mien.explain.figures.evidence import number_faces

    drawn = number_faces(pixels, faces)
    assert np.array_equal(pixels, before)
    for each in faces:
        x, y = each.face.box.x + each.face.box.width, each.face.box.y + each.face.box.height
        assert not np.array_equal(drawn[y - 5 : y + 5, x - 5 : x + 5], before[y - 5 : y + 5, x - 5 : x + 5])


def test_a_few_filters_and_many_contributions():
    few = Kernels("first", np.random.default_rng(0).normal(size=(3, 3, 5, 5)).astype(np.float32))
    many = tuple(Contribution(k, 0.1, 0.2 if k % 2 else -0.2, 0.02 if k % 2 else -0.02) for k in range(2000))
    assert framed(figures.draw_kernels(few))
    assert framed(figures.draw_contributions(bare(contributions=many, bias=-1.0)))


def test_what_channels_respond_to_is_drawn_also_where_nothing_excites_them():
    chance = np.random.default_rng(0)
    faces = chance.integers(0, 255, (30, 48, 48), np.uint8)
    places = layer(chance.random((6, 5, 5)))
    assert framed(figures.draw_top_activating(places, faces, {3: tuple(range(9)), 1: (), 0: (4,)}))
    assert framed(figures.draw_top_activating(layer(chance.random(6)), faces, {2: (1, 2)}))
    assert framed(figures.draw_top_activating(places, faces, {}))


# Letters and colours


@pytest.mark.parametrize("words", ["a few words that go on and on", "x" * 300, "", "w " * 90])
@pytest.mark.parametrize("room", [60, 200, 900])
def test_no_line_is_wider_than_its_room(words, room):
    lines = wrap_text(words, 22, room)
    assert all(text_width(line, 22) <= room for line in lines)
    assert "".join(lines).replace(" ", "") == words.replace(" ", "")
    assert text_width(ellipsize(words, 22, room), 22) <= room


def test_only_letters_that_the_font_has_are_written():
    box = load_font(40).getmask("\u4e00").getbbox()
    for letter in printable_text("a×b −1 – — ‘x’ “y” … ° é ü ñ 笑 😊 \n\t %"):
        assert letter == " " or load_font(40).getmask(letter).getbbox() != box
    assert printable_text("façade × 3 − 1") == "facade x 3 - 1"
    assert printable_text("笑顔") == ""


@pytest.mark.parametrize("name", ["sea", "ember"])
def test_scales_only_get_lighter(name):
    light = colour_table(name).astype(float) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(light) >= -0.5).all()
    assert light[-1] - light[0] > 200


def test_the_scale_for_contrasts_is_lightest_in_its_middle_and_blue_meets_orange():
    tide = colour_table("tide").astype(float)
    light = tide @ [0.2126, 0.7152, 0.0722]
    assert 118 <= int(light.argmax()) <= 138
    assert tide[0, 2] > tide[0, 0]
    assert tide[-1, 0] > tide[-1, 2]


def test_values_stand_where_they_belong_on_a_scale():
    values = np.array([-1.0, 0.0, 0.5, 1.0], np.float32)
    assert colour_indices(values, "sea").tolist() == [0, 0, 128, 255]
    assert colour_indices(values, "tide").tolist() == [0, 128, 191, 255]
    assert colour_indices(values, "sea", 2.0).tolist() == [0, 0, 64, 128]
    assert colour_indices(np.zeros(3, np.float32), "tide").tolist() == [128] * 3


def test_drawing_needs_neither_matplotlib_nor_keras():
    code = (
        "import sys; from mien.explain import figures, page; "
        "print([name for name in ('matplotlib', 'keras', 'tensorflow', 'pandas', 'mien.training') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
