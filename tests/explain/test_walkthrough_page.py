"""The walkthrough: one page that holds itself, for every model and every face."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from explanations import bare, layer
from mien import Engine, images
from mien.explain import Counterfactual, Kernels, Placement, Regions, Saliency
from mien.explain.page import render_overview, render_walkthrough, render_walkthrough_body
from mien.explain.page.images import build_map_sheet, crop_corners
from mien.results import Box, Emotions, Face, Score
from mien.text import allocate_ten_votes

EXAMPLES = Path(__file__).parents[2] / "examples"
EMPTY = ("meta", "link", "img", "br", "input", "use", "rect", "circle", "ellipse", "path", "image", "polygon")


class Reader(HTMLParser):
    """Every tag with its attributes; complains of one closed that was not open, and of an id used twice."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.open, self.texts = [], [], []
        self.feed(page)
        ids = [each["id"] for _, each in self.tags if "id" in each]
        assert len(ids) == len(set(ids))
        self.ids = set(ids)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag, **wanted):
        return [each for name, each in self.tags if name == tag and wanted.items() <= each.items()]


@pytest.fixture(scope="module")
def engine():
    return Engine.load(detector="haar")


@pytest.fixture(scope="module")
def photo():
    return images.load_image(EXAMPLES / "hopper.jpg").pixels


@pytest.fixture(scope="module")
def told(engine, photo):
    found = engine.explain_image(photo, methods=("cam", "occlusion"), layers="all")[0]
    return replace(found, source="photos/<b>hopper</b>.jpg")


@pytest.fixture(scope="module")
def html(told, photo):
    return render_walkthrough(told, photo, ["stem", "stage2.block2", "stage3.block2", "pooled"])


@pytest.fixture(scope="module")
def page(html):
    return Reader(html)


def steps(page):
    return [each["id"] for each in page.all("section")]


def test_it_leads_from_the_picture_to_the_result(page):
    assert steps(page) == [
        *("image", "face", "crop", "kernels"),
        *(f"layer-{place}" for place in range(1, 5)),
        *("dense", "softmax", "evidence", "result", "network"),
    ]


def test_it_is_well_formed_and_everything_it_points_to_is_there(html, page):
    assert page.open == []
    links = [each["href"] for _, each in page.tags if "href" in each]
    assert {link[1:] for link in links if link.startswith("#")} <= page.ids
    assert [link for link in links if not link.startswith(("#", "data:"))] == []
    assert {each["for"] for each in page.all("label")} <= page.ids
    named = " ".join(each["aria-labelledby"] for _, each in page.tags if "aria-labelledby" in each)
    assert set(named.split()) <= page.ids
    assert not re.search(r"url\((?!#)|@import|https?://(?!www\.w3\.org)", html)


def test_it_stays_under_three_megabytes_with_every_layer(told, photo):
    whole = render_walkthrough(told, photo)
    assert len(whole.encode()) < 3_000_000
    assert len(Reader(whole).all("section")) > 40


def test_a_huge_network_and_a_huge_picture_stay_under_three_megabytes():
    chance = np.random.default_rng(0)
    layers = tuple(layer(chance.random((256, 112, 112), np.float32), f"layer{k}") for k in range(24))
    photo = chance.integers(0, 255, (3000, 4000, 3), np.uint8)
    told = bare(layers=layers, crop=chance.integers(0, 255, (224, 224, 3), np.uint8))
    assert len(render_walkthrough(told, photo).encode()) < 3_000_000


def test_every_step_has_a_heading_two_sentences_and_a_place_in_the_rail(html, page):
    sections = re.findall(r"<section.*?</section>", html, re.S)
    for section in sections:
        assert section.count("<h2 ") == 1
        words = re.sub("<[^>]+>", "", re.search(r"<p class='lead'>(.*?)</p>", section, re.S)[1])
        assert 2 <= len(re.findall(r"[.?!:;](?:\s|$|”)", words)) <= 5, words
    assert len(page.all("a", **{"data-index": "0"})) == 1
    assert len([each for each in page.all("a") if "data-index" in each]) == len(sections)


def test_who_cannot_see_is_told(page):
    assert page.all("html", lang="en")
    pictures = [each for tag, each in page.tags if tag in ("svg", "img")]
    unnamed = [
        each for each in pictures if each.get("aria-hidden") != "true" and not each.get("aria-label", each.get("alt"))
    ]
    assert unnamed == []
    assert page.all("p", **{"aria-live": "polite"})
    assert page.all("nav", **{"aria-label": "Steps"})
    maps = [each for each in page.all("button") if "data-box" in each]
    assert len(maps) > 90
    assert all(each["aria-label"] and each["aria-pressed"] in ("true", "false") for each in maps)


def test_words_from_outside_stay_words(html):
    assert "<b>hopper" not in html
    odd = bare(emotions=Emotions((Score("<i>smirk</i>", 1.0),)), target="<i>smirk</i>", notes=("a < b",))
    strange = render_walkthrough(odd)
    assert "<i>smirk" not in strange
    assert "a &lt; b" in strange


def test_nothing_needs_a_style_attribute_so_that_strict_windows_can_show_it(told, photo):
    body = render_walkthrough_body(told, photo)
    assert " style=" not in body
    assert "<script" not in body
    assert not re.search(r"\son\w+=", body)


def test_two_walkthroughs_share_a_page(told, photo):
    both = "".join(render_walkthrough_body(told, photo, ["stem"], prefix) for prefix in ("one-", "two-"))
    read = Reader(both)
    links = {each["href"][1:] for _, each in read.tags if each.get("href", "").startswith("#")}
    assert links <= read.ids


def test_without_the_picture_it_begins_at_the_crop(engine, told):
    alone = engine.explain(told.crop)
    assert steps(Reader(render_walkthrough(alone)))[0] == "crop"


def test_a_model_that_shows_nothing_of_itself_still_has_a_way():
    read = Reader(render_walkthrough(bare(notes=("The model does not hand out its graph.",))))
    assert steps(read) == ["crop", "result"]
    assert "The model does not hand out its graph." in "".join(read.texts)


def test_the_sum_on_the_page_is_the_score_in_the_softmax(html, told):
    score = dict(told.logits)[told.target]
    foot = re.search(r"<tfoot>.*?<b>([−\d.]+)</b>", html)[1].replace("−", "-")
    assert float(foot) == pytest.approx(score, abs=0.006)
    rows = re.findall(
        r"<td>.*?<span>([+−]\d+\.\d\d)</span></td>", re.search(r"<table class='terms'>.*?</table>", html)[0]
    )
    assert sum(float(each.replace("−", "-")) for each in rows) == pytest.approx(score, abs=0.06)


def test_the_result_says_looks_and_never_is(html, told):
    text = re.sub("<[^>]+>", " ", html)
    assert f"The expression looks {told.emotions.top}" in text
    assert not re.search(r"(he|she|they|person|face) (is|are|feels?) (angry|happy|sad|neutral|afraid)", text)


def test_doubt_mixture_and_poor_quality_are_told(told, photo):
    mixture = (Score("sad", 0.5), Score("neutral", 0.4))
    emotions = replace(told.emotions, uncertain="no expression stands out", mixture=mixture)
    quality = replace(told.quality, ok=False, reason="the face is blurred")
    text = re.sub(
        "<[^>]+>", " ", render_walkthrough(replace(told, emotions=emotions, quality=quality), photo, ["stem"])
    )
    assert "The prediction is uncertain: no expression stands out." in text
    assert "A mixed expression: 50\u00a0% sad and 40\u00a0% neutral." in text
    assert "Hard to judge: the face is blurred." in text


def test_a_contrast_and_a_flip_are_told(told, photo):
    values = np.linspace(-1, 1, 48 * 48, dtype=np.float32).reshape(48, 48)
    signed = Saliency(values, "happy", "occlusion", "sad")
    regions = Regions("occlusion", "mean geometry", (Score("mouth", 0.7), Score("rest", 0.3)))
    changed = replace(told, maps=(signed,), regions=(regions,), target="happy", versus="sad")
    changed = replace(
        changed, counterfactual=Counterfactual(1, 2, 10, 8, 0.034, "sad", 0.51), counterfactual_searched=True
    )
    text = re.sub("<[^>]+>", " ", render_walkthrough(changed, photo, ["stem"]))
    assert "“happy” compared with “sad”; 70\u00a0% of the evidence is at the mouth" in text
    assert "3\u00a0% of the face, the prediction becomes “sad” (51\u00a0%)" in text


def test_a_map_without_evidence_says_so():
    flat = Saliency(np.zeros((48, 48), np.float32), "happy", "cam")
    told = bare(maps=(flat,), regions=(Regions("cam", "mean geometry", ()),))
    assert "shows no evidence at all" in render_walkthrough(told)


def test_filters_of_a_colour_network_are_drawn():
    chance = np.random.default_rng(0)
    first = layer(chance.normal(size=(4, 20, 20)), "first")
    kernels = Kernels("first", chance.normal(size=(4, 3, 3, 3)).astype(np.float32))
    told = bare(layers=(first,), kernels=kernels, crop=chance.integers(0, 255, (40, 40, 3), np.uint8))
    assert "kernels" in steps(Reader(render_walkthrough(told)))


def test_dead_layers_are_left_out():
    told = bare(layers=(layer(np.zeros((4, 5, 5)), "dead", zero_activation=4), layer(np.eye(6)[None], "alive")))
    assert steps(Reader(render_walkthrough(told))) == ["crop", "layer-2", "result"]


# Pieces


def test_an_sheet_knows_where_its_maps_are():
    chance = np.random.default_rng(0)
    sheet = build_map_sheet(layer(chance.random((20, 6, 5))), "a", most=10, needed=[19])
    assert 19 in sheet.channels
    places = [tuple(map(int, sheet.box(channel).split())) for channel in sheet.channels]
    assert len(set(places)) == len(places)
    assert all(x + width <= sheet.size[0] and y + height <= sheet.size[1] for x, y, width, height in places)
    assert {place[2:] for place in places} == {(5, 6)}


def test_the_corners_of_a_leaning_crop_turn_clockwise():
    straight, leaning = crop_corners(Placement(10, 20, 4, 0)), crop_corners(Placement(10, 20, 4, 90))
    assert straight == [(10, 20), (14, 20), (14, 24), (10, 24)]
    assert np.allclose(leaning, [(14, 20), (14, 24), (10, 24), (10, 20)])


@pytest.mark.parametrize(
    ("votes", "people"),
    [
        ([0.55, 0.45, 0.0], [6, 4, 0]),
        ([1.0, 0.0, 0.0], [10, 0, 0]),
        ([1 / 3, 1 / 3, 1 / 3], [4, 3, 3]),
        ([0.04, 0.03, 0.93], [1, 0, 9]),
    ],
)
def test_votes_become_ten_people(votes, people):
    found = allocate_ten_votes([Score(label, share) for label, share in zip("abc", votes, strict=True)])
    assert len(found) == 10
    assert [found.count(label) for label in "abc"] == people


# Several faces, and none


def test_several_faces_get_a_page_that_leads_to_each(engine):
    pixels = images.load_image(EXAMPLES / "portraits.jpg").pixels
    faces = engine.explain_image(pixels, methods=())
    read = Reader(render_overview("a/<i>b</i>.jpg", pixels, faces, pixels))
    assert [each["href"] for each in read.all("a")] == ["face-1/walkthrough.html", "face-2/walkthrough.html"]
    assert read.open == []


def test_no_face_gets_a_page_with_the_picture_and_what_to_try():
    pixels = np.zeros((40, 60, 3), np.uint8)
    html = render_overview("empty.jpg", pixels, (), pixels)
    assert "No face was found in empty.jpg" in html
    assert "--detector none" in html
    assert html.count("data:image/webp") == 1


def test_a_face_at_the_edge_of_its_picture_is_cut_out_too(told, photo):
    cornered = replace(told, placement=Placement(-50, -40, 200, 20), face=Face(Box(-20, -10, 150, 160)))
    assert Reader(render_walkthrough(cornered, photo, ["stem"])).open == []


def test_the_textbook_network_is_shown_with_its_flattening_and_its_dense_layer(photo):
    found = Engine.load("classic", detector="haar").explain_image(photo, methods=())[0]
    names = [each.name for each in found.layers]
    assert names[-3:] == ["block3.pool", "dense.relu", "shares.logits"]
    page = Reader(render_walkthrough(found, photo))
    told = " ".join(" ".join(page.texts).split())
    assert "The feature maps are flattened into one vector of 1,152 values." in told
    assert "147,584" in told
    assert told.count("Dense layer: every input counts for every output") == 1
    assert page.all("svg", **{"class": "value-bars columns"})


def test_a_dense_layer_has_one_step_where_all_layers_are_shown(photo):
    found = Engine.load("classic", detector="haar").explain_image(photo, methods=(), layers="all")[0]
    told = " ".join(" ".join(Reader(render_walkthrough(found, photo)).texts).split())
    assert told.count("Dense layer: every input counts for every output") == 1
    assert "flattened into one vector of 1,152 values." in told


def test_a_network_that_ends_in_pooling_has_no_dense_layer_before_the_last(told, photo):
    assert "Dense layer: every input counts for every output" not in render_walkthrough(told, photo)
