"""Annotated images, checked by their pixels."""

import time

import numpy as np
import pytest

from mien.draw import draw_readings, place_tags
from mien.labels import EMOTIONS, label_colour
from mien.results import Box, Emotions, Face, FrameResult, Reading, Score

CENTRE = (270, 200, 100, 100)


def make_reading(box, top="happy", score=0.92, mixture=(), uncertain=None, labels=EMOTIONS, track=None) -> Reading:
    rest = (1 - score) / (len(labels) - 1)
    scores = tuple(Score(label, score if label == top else rest) for label in labels)
    emotions = Emotions(scores, None, tuple(Score(*part) for part in mixture), uncertain)
    return Reading(Face(Box(*box)), emotions, track=track)


def annotate(*readings: Reading, size=(640, 480), background=128) -> np.ndarray:
    pixels = np.full((size[1], size[0], 3), background, np.uint8)
    annotated = draw_readings(pixels, FrameResult("test", size, readings))
    assert annotated.shape == pixels.shape
    assert annotated.dtype == np.uint8
    assert (pixels == background).all()
    return annotated


def rgb(label: str, among: tuple[str, ...] = ()) -> tuple[int, ...]:
    return tuple(bytes.fromhex(label_colour(label, among)[1:]))


def count_pixels(pixels: np.ndarray, label: str, among: tuple[str, ...] = ()) -> int:
    """The number of pixels with exactly the label's colour: its box and the background of its tag."""
    return int((pixels == rgb(label, among)).all(axis=2).sum())


def changed_area(pixels: np.ndarray, background=128) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero((pixels != background).any(axis=2))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_image_without_a_face_is_copied_unchanged():
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    annotated = draw_readings(pixels, FrameResult("test", (4, 4)))
    np.testing.assert_array_equal(annotated, pixels)
    assert not np.shares_memory(annotated, pixels)


def test_read_only_pixels_can_be_annotated():
    pixels = np.zeros((480, 640, 3), np.uint8)
    pixels.flags.writeable = False
    assert draw_readings(pixels, FrameResult("test", (640, 480), (make_reading(CENTRE),))).any()


@pytest.mark.parametrize("label", EMOTIONS)
def test_face_has_a_box_and_a_tag_in_the_colour_of_its_expression(label):
    pixels = annotate(make_reading(CENTRE, label))
    x, y, width, height = CENTRE
    assert tuple(pixels[y, x + width // 2]) == rgb(label)
    assert tuple(pixels[y + height - 1, x + width // 2]) == rgb(label)
    assert tuple(pixels[y + height // 2, x]) == rgb(label)
    assert tuple(pixels[y + height // 2, x + width - 1]) == rgb(label)
    assert (pixels[y + 10 : y + 90, x + 10 : x + 90] == 128).all()  # the face itself is unchanged
    left, top, _right, _bottom = changed_area(pixels)
    assert left >= x - 2
    assert top < y - 12  # the tag is above the box


def test_tag_shows_the_probability_and_the_track():
    assert (annotate(make_reading(CENTRE, score=0.92)) != annotate(make_reading(CENTRE, score=0.52))).any()
    assert (annotate(make_reading(CENTRE, score=0.921)) == annotate(make_reading(CENTRE, score=0.922))).all()
    assert (annotate(make_reading(CENTRE, track=1)) != annotate(make_reading(CENTRE, track=2))).any()


def test_corners_of_the_box_are_round():
    assert tuple(annotate(make_reading(CENTRE))[CENTRE[1], CENTRE[0]]) == (128, 128, 128)


def test_mixture_has_a_second_line():
    plain = changed_area(annotate(make_reading(CENTRE)))
    mixed = changed_area(annotate(make_reading(CENTRE, mixture=[("happy", 0.6), ("surprise", 0.3)])))
    assert plain[1] - mixed[1] >= 9
    assert changed_area(annotate(make_reading(CENTRE, mixture=[("happy", 0.6)]))) == plain


def test_uncertain_reading_is_dashed_and_muted():
    pixels = annotate(make_reading(CENTRE, uncertain="no expression stands out"))
    assert count_pixels(pixels, "happy") == 0
    x, y, width, height = CENTRE
    edge = (pixels[y + height - 1, x : x + width] != 128).any(axis=1)
    assert 0.3 < edge.mean() < 0.8
    assert (np.diff(edge.astype(int)) == 1).sum() >= 3
    assert (pixels[y + height + 8 :] == 128).all()


@pytest.mark.parametrize("size", [(640, 480), (320, 240), (1500, 1000)])
def test_tags_are_inside_the_image_at_every_edge(size):
    width, height = size
    side = height // 5
    middle = make_reading(((width - side) // 2, (height - side) // 2, side, side))
    complete = count_pixels(annotate(middle, size=size), "happy")
    for x in (0, (width - side) // 2, width - side):
        for y in (0, (height - side) // 2, height - side):
            # A tag that lies on its own box hides a part of it.
            pixels = annotate(make_reading((x, y, side, side)), size=size)
            assert count_pixels(pixels, "happy") > 0.8 * complete


def test_tags_of_neighbours_do_not_hide_each_other():
    readings = [make_reading((100 + 70 * i, 200, 60, 60), label) for i, label in enumerate(EMOTIONS)]
    together = annotate(*readings)
    for reading in readings:
        label = reading.emotions.top
        assert count_pixels(together, label) >= 0.9 * count_pixels(annotate(reading), label)


def test_tag_avoids_the_face_above():
    pixels = annotate(make_reading((200, 100, 100, 100), "sad"), make_reading((200, 205, 100, 100), "happy"))
    assert (pixels[110:190, 210:290] == 128).all()


def test_text_grows_with_the_image():
    small, large = (
        changed_area(annotate(make_reading((w // 4, h // 4, h // 3, h // 3)), size=(w, h)))
        for w, h in [(640, 480), (3200, 2400)]
    )
    assert large[3] - large[1] > 4 * (small[3] - small[1])


def test_small_face_in_a_large_image_is_not_covered():
    pixels = annotate(make_reading((1500, 1100, 24, 24)), size=(3000, 2200))
    assert (pixels[1107:1117, 1507:1517] == 128).all()
    left, top, right, bottom = changed_area(pixels)
    assert right - left > 70  # the tag is readable in the whole image
    assert bottom - top < 120


@pytest.mark.parametrize("side", [1, 2, 5, 16, 24, 48, 64, 100])
def test_face_may_fill_an_image_of_any_size(side):
    mixture = [("surprise", 0.5), ("fear", 0.4)]
    annotate(make_reading((0, 0, side, side), "surprise", mixture=mixture), size=(side, side))
    annotate(make_reading((0, 0, side, side), "surprise", uncertain="small"), size=(side, side))


def test_image_too_small_for_a_tag_has_only_the_box():
    pixels = annotate(make_reading((0, 0, 20, 20)), size=(20, 20))
    assert count_pixels(pixels, "happy") > 40
    assert (pixels[6:14, 6:14] == 128).all()


@pytest.mark.parametrize(
    "box",
    [(-50, -50, 120, 120), (600, 440, 200, 200), (-9, 100, 5, 5), (700, 500, 50, 50), (50, 50, 0, 0), (0, 0, 3, 400)],
)
def test_boxes_may_be_outside_or_degenerate(box):
    annotate(make_reading(box))
    annotate(make_reading(box, uncertain="odd"))


@pytest.mark.parametrize(
    "label", ["müde", "悲しい", "🙂", "a label that is far too long for any image of this size " * 3, ""]
)
def test_labels_of_other_models_have_tags(label):
    labels = (label, "other")
    pixels = annotate(make_reading(CENTRE, label, labels=labels))
    assert count_pixels(pixels, label, labels) > 500
    assert count_pixels(pixels, "other", labels) == 0


def test_many_readings_take_seconds():
    rng = np.random.default_rng(0)
    corners = zip(rng.integers(0, 1900, 150), rng.integers(0, 1000, 150), strict=True)
    readings = [make_reading((int(x), int(y), 24, 24)) for x, y in corners]
    start = time.process_time()
    annotate(*readings, size=(1920, 1080))
    assert time.process_time() - start < 5  # takes a third of a second


# Numbers and positions

GROUP = [make_reading((100 * (i % 6) + 20, 110 * (i // 6) + 30, 60, 60), EMOTIONS[i % 7]) for i in range(24)]


def overlaps(first: Box, second: Box) -> bool:
    return min(first.x + first.width, second.x + second.width) > max(first.x, second.x) and min(
        first.y + first.height, second.y + second.height
    ) > max(first.y, second.y)


@pytest.mark.parametrize("pixel_ratio", [1.0, 1.7])
def test_tags_of_a_group_have_numbers_and_do_not_overlap(pixel_ratio):
    size = (640, 480)
    tags = place_tags(FrameResult("group", size, tuple(GROUP)), size, numbered=True, pixel_ratio=pixel_ratio)
    assert [int(tag.lines[0].partition(":")[0]) for tag in tags] == list(range(1, 25))
    boxes = [tag.box for tag in tags]
    assert not any(overlaps(first, second) for i, first in enumerate(boxes) for second in boxes[:i])
    assert all(0 <= x <= 640 - width and 0 <= y <= 480 - height for x, y, width, height in boxes)
    assert all(tag.text_height >= 9 * pixel_ratio for tag in tags)


def test_texts_of_a_group_are_shortened_together_where_space_is_small():
    size = (640, 480)
    texts = {}
    for ratio in (0.6, 3.0):
        tags = place_tags(FrameResult("group", size, tuple(GROUP)), size, numbered=True, pixel_ratio=ratio)
        texts[ratio] = [tag.lines[0] for tag in tags]
    assert sum("92 %" in text for text in texts[0.6]) >= 20
    assert texts[3.0] == [str(number) for number in range(1, 25)]


def test_one_face_has_no_number():
    for numbered in (True, False):
        [tag] = place_tags(FrameResult("one", (640, 480), (make_reading(CENTRE),)), (640, 480), numbered=numbered)
        assert tag.lines == ("happy 92 %",)


def test_annotated_image_has_the_tags_of_place_tags():
    pixels = np.full((480, 640, 3), 128, np.uint8)
    result = FrameResult("group", (640, 480), tuple(GROUP))
    annotated = draw_readings(pixels, result, numbered=True)
    for reading, tag in zip(GROUP, place_tags(result, (640, 480), numbered=True), strict=True):
        x, y, width, height = tag.box
        assert (annotated[y : y + height, x : x + width] == rgb(reading.emotions.top)).all(axis=2).mean() > 0.3
