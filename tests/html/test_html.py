"""The standalone page and the components of mien.html."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from mien import html
from mien.html.environment import environment
from mien.html.images import shrink_image
from mien.labels import VOTES, label_colour


class StrictParser(HTMLParser):
    """Fails for a tag that is closed without being open."""

    EMPTY = ("meta", "link", "img", "br", "input")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


COMPONENTS = [
    html.tiles([html.tile("a < b", "1 %", "c & d")]),
    html.figure("<svg></svg>", "x < y", wide=True),
    html.table(["one", "<two>"], [["1", "2"], ["3", html.bar(0.5)]]),
    html.expression_name("<happy>", icon=True),
    *map(html.icon_svg, (*VOTES, "another")),
    html.note("words", warn=True),
    html.footer(),
    html.image_tag(np.zeros((4, 6, 3), np.uint8), "a 'black' <image>", css="pixels"),
]


@pytest.mark.parametrize("component", COMPONENTS)
def test_component_is_well_formed(component):
    parser = StrictParser(component)
    assert parser.open == []
    assert parser.tags


def test_page_is_well_formed_and_has_one_main_element():
    parser = StrictParser(html.render_page("A & B", COMPONENTS, style="p { color: red }", script="let a = 1 < 2"))
    assert parser.open == []
    assert [tag for tag, _ in parser.tags].count("main") == 1
    assert ("html", {"lang": "en"}) in parser.tags


def test_text_is_escaped():
    page = html.render_page("<script>alert(1)</script>", COMPONENTS)
    assert "<script" not in page
    assert "<two>" not in page
    assert "<image>" not in page


def test_policy_allows_only_the_script_of_the_page():
    plain, scripted = html.render_page("t", []), html.render_page("t", [], script="1")
    assert "script-src 'none'" in plain
    assert re.search(r"script-src 'sha256-[\w+/=]{44}'", scripted)
    assert "'unsafe-eval'" not in scripted
    assert "http:" not in scripted.replace("http://www.w3.org/2000/svg", "").replace("http%3A//www.w3.org/2000/svg", "")


def test_style_sheet_has_the_colour_of_every_expression_and_both_colour_schemes():
    sheet = html.style_sheet()
    assert [label for label in VOTES if f"--{label}: {label_colour(label)};" not in sheet] == []
    for feature in ("prefers-color-scheme: dark", "prefers-reduced-motion", "@media print", ":focus-visible"):
        assert feature in sheet
    assert sheet.count("{") == sheet.count("}")
    used = set(re.findall(r"var\((--[\w-]+)", sheet))
    assert used <= set(re.findall(r"(--[\w-]+):", sheet))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(scheme):
    """WCAG AA: 4.5 to 1."""
    blocks = re.findall(r":root \{([^}]*--ink[^}]*)\}", html.style_sheet())[:2]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[["light", "dark"].index(scheme)]))
    for ground in ("paper", "panel", "raised"):
        for text in ("ink", "muted", "accent", "right", "wrong"):
            assert contrast_ratio(colours[text], colours[ground]) >= 4.5, (text, ground)
    assert contrast_ratio(colours["on-accent"], colours["accent"]) >= 4.5
    assert contrast_ratio(colours["ink"], colours["warn-ground"]) >= 4.5


def contrast_ratio(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_image_contains_its_pixels_and_their_size():
    image = html.image_tag(np.full((4, 6), 128, np.uint8), "gray")
    assert "width='6' height='4'" in image
    assert image.count("data:image/png;base64,") == 1


def test_image_is_scaled_down_and_never_up():
    pixels = np.random.default_rng(0).integers(0, 256, (50, 200, 3), np.uint8)
    assert shrink_image(pixels, 200) is pixels
    assert shrink_image(pixels, 20).shape == (5, 20, 3)
    assert shrink_image(pixels[:1], 3).shape == (1, 3, 3)


def test_percent_filter_has_a_no_break_space():
    filters = environment().filters
    assert filters["percent"](0.7134) == "71.3\u00a0%"
    assert filters["percent"](1, 0) == "100\u00a0%"
