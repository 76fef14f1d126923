"""The walkthrough page: one self-contained file for any model and any face."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from explanations import make_explanation, make_layer
from mien import Engine, images
from mien.explain import Counterfactual, Kernels, Placement, Regions, Saliency
from mien.explain.page import render_overview, render_walkthrough, render_walkthrough_body
from mien.explain.page_images import build_map_sheet
from mien.models import ModelCard, resolve_model
from mien.results import Box, Emotions, Face, Score
from mien.text import allocate_ten_votes

EXAMPLES = Path(__file__).parents[2] / "examples"
VOID_TAGS = ("meta", "link", "img", "br", "input", "use", "rect", "circle", "ellipse", "path", "image", "polygon")


class PageParser(HTMLParser):
    """All tags with their attributes. Fails for a tag that is closed without being open, and for an id used twice."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.open, self.texts = [], [], []
        self.feed(page)
        ids = [each["id"] for _, each in self.tags if "id" in each]
        assert len(ids) == len(set(ids))
        self.ids = set(ids)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID_TAGS:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID_TAGS:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag, **attributes):
        return [each for name, each in self.tags if name == tag and attributes.items() <= each.items()]


@pytest.fixture(scope="module")
def engine():
    return Engine.load(detector="haar")


@pytest.fixture(scope="module")
def photo():
    return images.load_image(EXAMPLES / "hopper.jpg").pixels


@pytest.fixture(scope="module")
def explanation(engine, photo):
    [explanation] = engine.explain_image(photo, methods=("cam", "occlusion"), layers="all")
    return replace(explanation, source="photos/<b>hopper</b>.jpg")


@pytest.fixture(scope="module")
def html(explanation, photo):
    return render_walkthrough(explanation, photo, ["stem", "stage2.block2", "stage3.block2", "pooled"])


@pytest.fixture(scope="module")
def page(html):
    return PageParser(html)


def step_ids(page):
    return [each["id"] for each in page.all("section")]


def test_steps_lead_from_the_image_to_the_network(page):
    assert step_ids(page) == [
        *("image", "face", "crop", "kernels", "arithmetic"),
        *(f"layer-{place}" for place in range(1, 5)),
        *("dense", "softmax", "evidence", "result", "network"),
    ]


def test_page_is_well_formed_and_all_references_exist(html, page):
    assert page.open == []
    links = [each["href"] for _, each in page.tags if "href" in each]
    assert {link[1:] for link in links if link.startswith("#")} <= page.ids
    assert [link for link in links if not link.startswith(("#", "data:"))] == []
    assert {each["for"] for each in page.all("label")} <= page.ids
    references = " ".join(each["aria-labelledby"] for _, each in page.tags if "aria-labelledby" in each)
    assert set(references.split()) <= page.ids
    assert not re.search(r"url\((?!#)|@import|https?://(?!www\.w3\.org)", html)


def test_page_with_all_layers_is_under_three_megabytes(explanation, photo):
    page = render_walkthrough(explanation, photo)
    assert len(page.encode()) < 3_000_000
    assert len(PageParser(page).all("section")) > 40


@pytest.mark.full
def test_page_of_a_large_network_and_a_large_image_is_under_three_megabytes():
    random = np.random.default_rng(0)
    layers = tuple(make_layer(random.random((256, 112, 112), np.float32), f"layer{k}") for k in range(24))
    photo = random.integers(0, 255, (3000, 4000, 3), np.uint8)
    explanation = make_explanation(layers=layers, crop=random.integers(0, 255, (224, 224, 3), np.uint8))
    assert len(render_walkthrough(explanation, photo).encode()) < 3_000_000


def test_every_step_has_a_heading_two_to_five_sentences_and_a_link(html, page):
    sections = re.findall(r"<section.*?</section>", html, re.S)
    for section in sections:
        assert section.count("<h2 ") == 1
        text = re.sub("<[^>]+>", "", re.search(r"<p class='lead'>(.*?)</p>", section, re.S)[1])
        assert 2 <= len(re.findall(r"[.?!:;](?:\s|$|”)", text)) <= 5, text
    assert len(page.all("a", **{"data-index": "0"})) == 1
    assert len([each for each in page.all("a") if "data-index" in each]) == len(sections)


def test_page_is_accessible(page):
    assert page.all("html", lang="en")
    graphics = [each for tag, each in page.tags if tag in ("svg", "img")]
    unnamed = [
        each for each in graphics if each.get("aria-hidden") != "true" and not each.get("aria-label", each.get("alt"))
    ]
    assert unnamed == []
    assert page.all("p", **{"aria-live": "polite"})
    assert page.all("nav", **{"aria-label": "Steps"})
    maps = [each for each in page.all("button") if "data-box" in each]
    assert len(maps) > 90
    assert all(each["aria-label"] and each["aria-pressed"] in ("true", "false") for each in maps)


def test_text_from_outside_is_escaped(html):
    assert "<b>hopper" not in html
    unusual = make_explanation(
        emotions=Emotions((Score("<i>smirk</i>", 1.0),)), target="<i>smirk</i>", notes=("a < b",)
    )
    page = render_walkthrough(unusual)
    assert "<i>smirk" not in page
    assert "a &lt; b" in page


def test_body_has_no_inline_style_or_script(explanation, photo):
    body = render_walkthrough_body(explanation, photo)
    assert " style=" not in body
    assert "<script" not in body
    assert not re.search(r"\son\w+=", body)


def test_prefixes_keep_ids_of_two_walkthroughs_apart(explanation, photo):
    pages = "".join(render_walkthrough_body(explanation, photo, ["stem"], prefix) for prefix in ("one-", "two-"))
    parser = PageParser(pages)
    links = {each["href"][1:] for _, each in parser.tags if each.get("href", "").startswith("#")}
    assert links <= parser.ids


def test_page_without_an_image_begins_with_the_crop(engine, explanation):
    crop_only = engine.explain(explanation.crop)
    assert step_ids(PageParser(render_walkthrough(crop_only)))[0] == "crop"


def test_model_without_a_graph_has_crop_and_result():
    parser = PageParser(render_walkthrough(make_explanation(notes=("The model does not provide its graph.",))))
    assert step_ids(parser) == ["crop", "result"]
    assert "The model does not provide its graph." in "".join(parser.texts)


def test_terms_of_the_dense_layer_add_up_to_the_logit(html, explanation):
    logit = dict(explanation.logits)[explanation.target]
    foot = re.search(r"<tfoot>.*?<b>([−\d.]+)</b>", html)[1].replace("−", "-")
    assert float(foot) == pytest.approx(logit, abs=0.006)
    rows = re.findall(
        r"<td>.*?<span>([+−]\d+\.\d\d)</span></td>", re.search(r"<table class='terms'>.*?</table>", html)[0]
    )
    assert sum(float(each.replace("−", "-")) for each in rows) == pytest.approx(logit, abs=0.06)


def test_result_is_what_the_expression_looks_like_and_no_fact_about_the_person(html, explanation):
    text = re.sub("<[^>]+>", " ", html)
    assert f"The expression looks {explanation.emotions.top}" in text
    assert not re.search(r"(he|she|they|person|face) (is|are|feels?) (angry|happy|sad|neutral|fearful|afraid)", text)


def test_uncertainty_mixture_and_poor_quality_are_on_the_page(explanation, photo):
    mixture = (Score("sad", 0.5), Score("neutral", 0.4))
    emotions = replace(explanation.emotions, uncertain="no expression stands out", mixture=mixture)
    quality = replace(explanation.quality, ok=False, reason="the face is blurred")
    text = re.sub(
        "<[^>]+>", " ", render_walkthrough(replace(explanation, emotions=emotions, quality=quality), photo, ["stem"])
    )
    assert "The prediction is uncertain: no expression stands out." in text
    assert "A mixed expression: 50\u00a0% sad and 40\u00a0% neutral." in text
    assert "Hard to judge: the face is blurred." in text


def test_comparison_and_counterfactual_are_on_the_page(explanation, photo):
    values = np.linspace(-1, 1, 48 * 48, dtype=np.float32).reshape(48, 48)
    signed = Saliency(values, "happy", "occlusion", "sad")
    regions = Regions("occlusion", "mean geometry", (Score("mouth", 0.7), Score("rest", 0.3)))
    changed = replace(explanation, maps=(signed,), regions=(regions,), target="happy", versus="sad")
    changed = replace(
        changed, counterfactual=Counterfactual(1, 2, 10, 8, 0.034, "sad", 0.51), counterfactual_searched=True
    )
    text = re.sub("<[^>]+>", " ", render_walkthrough(changed, photo, ["stem"]))
    assert "“happy” compared with “sad”; 70\u00a0% of the evidence is at the mouth" in text
    assert "3\u00a0% of the face, the prediction becomes “sad” (51\u00a0%)" in text


def test_map_without_evidence_is_stated():
    flat = Saliency(np.zeros((48, 48), np.float32), "happy", "cam")
    explanation = make_explanation(maps=(flat,), regions=(Regions("cam", "mean geometry", ()),))
    assert "shows no evidence at all" in render_walkthrough(explanation)


def test_kernels_of_a_colour_network_have_a_step():
    random = np.random.default_rng(0)
    first = make_layer(random.normal(size=(4, 20, 20)), "first")
    kernels = Kernels("first", random.normal(size=(4, 3, 3, 3)).astype(np.float32))
    explanation = make_explanation(
        layers=(first,), kernels=kernels, crop=random.integers(0, 255, (40, 40, 3), np.uint8)
    )
    assert "kernels" in step_ids(PageParser(render_walkthrough(explanation)))


def test_layers_with_zero_activation_have_no_step():
    explanation = make_explanation(
        layers=(make_layer(np.zeros((4, 5, 5)), "inactive", zero_activation=4), make_layer(np.eye(6)[None], "active"))
    )
    assert step_ids(PageParser(render_walkthrough(explanation))) == ["crop", "layer-2", "result"]


# Components


def test_map_sheet_has_a_box_for_each_channel():
    random = np.random.default_rng(0)
    sheet = build_map_sheet(make_layer(random.random((20, 6, 5))), "a", most=10, needed=[19])
    assert 19 in sheet.channels
    boxes = [tuple(map(int, sheet.box(channel).split())) for channel in sheet.channels]
    assert len(set(boxes)) == len(boxes)
    assert all(x + width <= sheet.size[0] and y + height <= sheet.size[1] for x, y, width, height in boxes)
    assert {box[2:] for box in boxes} == {(5, 6)}


def test_corners_of_a_rotated_crop_turn_clockwise():
    upright, rotated = Placement(10, 20, 4, 0).corners(), Placement(10, 20, 4, 90).corners()
    assert upright == [(10, 20), (14, 20), (14, 24), (10, 24)]
    assert np.allclose(rotated, [(14, 20), (14, 24), (10, 24), (10, 20)])


@pytest.mark.parametrize(
    ("scores", "counts"),
    [
        ([0.55, 0.45, 0.0], [6, 4, 0]),
        ([1.0, 0.0, 0.0], [10, 0, 0]),
        ([1 / 3, 1 / 3, 1 / 3], [4, 3, 3]),
        ([0.04, 0.03, 0.93], [1, 0, 9]),
    ],
)
def test_ten_votes_are_allocated_by_largest_remainder(scores, counts):
    votes = allocate_ten_votes([Score(label, score) for label, score in zip("abc", scores, strict=True)])
    assert len(votes) == 10
    assert [votes.count(label) for label in "abc"] == counts


# Several faces, or none


def test_overview_links_to_the_page_of_each_face(engine):
    pixels = images.load_image(EXAMPLES / "portraits.jpg").pixels
    faces = engine.explain_image(pixels, methods=())
    parser = PageParser(render_overview("a/<i>b</i>.jpg", pixels, faces, pixels))
    assert [each["href"] for each in parser.all("a")] == ["face-1/walkthrough.html", "face-2/walkthrough.html"]
    assert parser.open == []


def test_overview_without_a_face_has_the_image_and_advice():
    pixels = np.zeros((40, 60, 3), np.uint8)
    html = render_overview("empty.jpg", pixels, (), pixels)
    assert "No face was found in empty.jpg" in html
    assert "--detector none" in html
    assert html.count("data:image/webp") == 1


def test_face_at_the_border_of_the_image_is_accepted(explanation, photo):
    at_border = replace(explanation, placement=Placement(-50, -40, 200, 20), face=Face(Box(-20, -10, 150, 160)))
    assert PageParser(render_walkthrough(at_border, photo, ["stem"])).open == []


def test_classic_network_has_a_step_for_its_hidden_dense_layer(photo):
    [explanation] = Engine.load("classic", detector="haar").explain_image(photo, methods=())
    names = [each.name for each in explanation.layers]
    assert names[-3:] == ["block3.pool", "dense.relu", "scores.logits"]
    page = PageParser(render_walkthrough(explanation, photo))
    text = " ".join(" ".join(page.texts).split())
    assert "The feature maps are flattened into one vector of 1,152 values." in text
    assert "147,584" in text
    assert text.count("Dense layer: every input counts for every output") == 1
    assert page.all("svg", **{"class": "value-bars columns"})


def test_hidden_dense_layer_has_one_step_with_all_layers(photo):
    [explanation] = Engine.load("classic", detector="haar").explain_image(photo, methods=(), layers="all")
    text = " ".join(" ".join(PageParser(render_walkthrough(explanation, photo)).texts).split())
    assert text.count("Dense layer: every input counts for every output") == 1
    assert "flattened into one vector of 1,152 values." in text


def test_network_with_global_pooling_has_no_hidden_dense_layer(explanation, photo):
    assert "Dense layer: every input counts for every output" not in render_walkthrough(explanation, photo)


# Terms of the field


@pytest.mark.parametrize(
    "term",
    [
        *("Convolution", "Kernel", "Stride", "Feature map", "Patch", "Bias", "ReLU", "Channel", "Receptive field"),
        *("Residual connection", "Global average pooling", "Dense layer", "Logit", "Parameter", "Batch normalisation"),
    ],
)
def test_page_gives_the_term_and_a_plain_sentence(term, engine, photo):
    [explanation] = engine.explain_image(photo, methods=(), layers="all")
    html = render_walkthrough(explanation, photo, ["stem.conv", "stem", "stage1.block2", "views", "pooled"])
    [meaning, *_] = re.findall(f"<dt>{term}</dt><dd>(.*?)</dd>", html)
    assert meaning.endswith(".")
    assert 5 < len(meaning.split()) < 45


@pytest.mark.parametrize("model", ["base", "small", "classic"])
def test_arithmetic_of_a_patch_is_that_of_the_network(model, photo):
    [explanation] = Engine.load(model, detector="haar").explain_image(photo, methods=(), layers="all")
    first = next(layer for layer in explanation.layers if layer.name == explanation.kernels.layer)
    page = PageParser(render_walkthrough(explanation, photo, [first.name]))
    [element] = [each for each in page.all("div") if "data-arithmetic" in each]
    [patch, *_] = patches = json.loads(element["data-arithmetic"])
    assert len(patches) == 4

    def number(text):
        return float(text.replace("−", "-"))

    assert sum(map(number, patch["products"])) == pytest.approx(number(patch["sum"]), abs=0.06)
    totals = [number(each["total"]) for each in patches]
    assert any(
        np.allclose(values[column : column + 4], totals, atol=0.02)
        for channel in first.activations
        for values in channel
        for column in range(len(values) - 3)
    )


def test_diagram_has_an_arc_for_each_residual_connection(explanation, photo):
    page = PageParser(render_walkthrough(explanation, photo, ["stem"]))
    arcs = [row for row in explanation.rows if row.skip_from is not None]
    assert len(arcs) == 6
    assert len(page.all("path", **{"class": "skip"})) == 6
    names = [row.name for row in explanation.rows]
    assert [names[row.skip_from] for row in arcs][:2] == ["stem.conv", "stage1.block1.add"]


def test_parameters_of_the_page_are_those_of_the_card(explanation, photo):
    parameters = ModelCard.read(resolve_model("base")).parameters
    assert sum(cost.parameters for cost in explanation.costs) == parameters
    assert render_walkthrough(explanation, photo, ["stem"]).count(f"{parameters:,}") == 3
