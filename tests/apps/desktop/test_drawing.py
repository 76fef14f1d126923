"""What is drawn in code for the desktop windows: icons, bars, timelines and the layers of a network."""

import numpy as np
import pytest

from mien.apps.desktop.application import PAGES
from mien.apps.desktop.drawing import (
    axis_marks,
    draw_bar,
    draw_crop,
    draw_icon,
    draw_timeline,
    draw_vector,
    mix_colors,
    overlay_map,
    parse_color,
    stack_scores,
)
from mien.explain import Saliency
from mien.labels import label_colour
from mien.video.timeline import TimelineStep

LABELS = ("sad", "happy")
SAD, HAPPY = (parse_color(label_colour(label, LABELS)) for label in LABELS)
BLACK = (0, 0, 0)


@pytest.mark.parametrize("name", [*PAGES, "open", "save", "play", "pause", "stop", "snapshot", "warning", "repeat"])
def test_icon_has_the_requested_size_and_colour(name):
    icon = np.asarray(draw_icon(name, 20, "#ff0000"))
    assert icon.shape == (20, 20, 4)
    assert icon[..., 3].any()
    assert (icon[icon[..., 3] == 255][:, :3] == (255, 0, 0)).all()


def test_filled_part_of_a_bar_ends_at_its_value():
    row = np.asarray(draw_bar(100, 8, 40, "#ff0000", "#00ff00", "#000000"))[4]
    assert (row[5:40] == (255, 0, 0)).all()
    assert (row[40:95] == (0, 255, 0)).all()


def test_mixed_colour_lies_between_both():
    assert [mix_colors("#000000", "#ffffff", fraction) for fraction in (0, 0.5, 1)] == ["#000000", "#808080", "#ffffff"]


def test_scores_are_stacked_with_the_first_label_at_the_bottom():
    column = stack_scores((0.25, 0.75), LABELS, 8)
    assert [tuple(row) for row in column] == [HAPPY] * 6 + [SAD] * 2


def test_timeline_is_empty_where_the_face_is_not_visible_or_not_judged():
    steps = [TimelineStep(2.0, 4.0, (0.0, 1.0), 1.0, 1.0), TimelineStep(6.0, 8.0, (), 0.0, 1.0)]
    pixels = draw_timeline(steps, LABELS, (10, 4), (0.0, 10.0), "#000000")
    assert [tuple(pixel) for pixel in pixels[0]] == [BLACK] * 2 + [HAPPY] * 2 + [BLACK] * 6


@pytest.mark.parametrize(
    ("start", "end", "most", "marks"),
    [(0.0, 10.0, 5, [0, 2, 4, 6, 8, 10]), (3.0, 10.0, 2, [5, 10]), (0.0, 7200.0, 4, [0, 1800, 3600, 5400, 7200])],
)
def test_axis_has_marks_at_round_times(start, end, most, marks):
    assert axis_marks(start, end, most) == marks


def test_negative_values_of_a_vector_are_below_the_zero_line():
    pixels = draw_vector(np.array([1, -1], np.float32), (2, 4), "#ff0000", "#0000ff", "#000000")
    assert [tuple(pixel) for pixel in pixels[:, 0]] == [(255, 0, 0)] * 2 + [BLACK] * 2
    assert [tuple(pixel) for pixel in pixels[:, 1]] == [BLACK] * 2 + [(0, 0, 255)] * 2


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 1), (4, 4, 3)])
def test_input_of_a_model_becomes_an_rgb_image(shape):
    assert draw_crop(np.full(shape, 7, np.uint8), 8).tolist() == np.full((8, 8, 3), 7).tolist()


def test_map_covers_the_face_only_where_it_has_evidence():
    values = np.zeros((4, 4), np.float32)
    values[:2, :2] = 1
    face = np.full((4, 4, 3), 100, np.uint8)
    pixels = overlay_map(face, Saliency(values, "happy", "cam"))
    assert (pixels[3, 3] == 100).all()
    assert (pixels[0, 0] != 100).any()
    assert (overlay_map(face, Saliency(values, "happy", "cam"), 0.0) == face).all()
