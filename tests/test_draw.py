"""Painted readings, judged by their pixels."""

import time

import numpy as np
import pytest

from mien import draw
from mien.labels import EMOTIONS, label_colour
from mien.results import Box, Emotions, Face, FrameResult, Reading, Score


def reading(box, top="happy", share=0.92, mixture=(), uncertain=None, labels=EMOTIONS) -> Reading:
    rest = (1 - share) / (len(labels) - 1)
    shares = tuple(Score(label, share if label == top else rest) for label in labels)
    return Reading(Face(Box(*box)), Emotions(shares, None, tuple(Score(*part) for part in mixture), uncertain))


def painted(*readings: Reading, size=(640, 480), ground=128) -> np.ndarray:
    pixels = np.full((size[1], size[0], 3), ground, np.uint8)
    out = draw.draw_readings(pixels, FrameResult("test", size, readings))
    assert out.shape == pixels.shape
    assert out.dtype == np.uint8
    assert (pixels == ground).all()
    return out


def rgb(label: str, among: tuple[str, ...] = ()) -> tuple[int, ...]:
    return tuple(bytes.fromhex(label_colour(label, among)[1:]))


def count(pixels: np.ndarray, label: str, among: tuple[str, ...] = ()) -> int:
    """How many pixels have exactly the label's colour: its box and the ground of its tag."""
    return int((pixels == rgb(label, among)).all(axis=2).sum())


def extent(pixels: np.ndarray, ground=128) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero((pixels != ground).any(axis=2))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


CENTRE = (270, 200, 100, 100)


def test_nobody_there_is_an_equal_copy():
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    out = draw.draw_readings(pixels, FrameResult("test", (4, 4)))
    np.testing.assert_array_equal(out, pixels)
    assert not np.shares_memory(out, pixels)


def test_pixels_that_may_not_be_written_can_be_painted():
    pixels = np.zeros((480, 640, 3), np.uint8)
    pixels.flags.writeable = False
    assert draw.draw_readings(pixels, FrameResult("test", (640, 480), (reading(CENTRE),))).any()


@pytest.mark.parametrize("label", EMOTIONS)
def test_a_face_has_a_box_and_a_tag_in_the_colour_of_its_expression(label):
    out = painted(reading(CENTRE, label))
    x, y, width, height = CENTRE
    assert tuple(out[y, x + width // 2]) == rgb(label)
    assert tuple(out[y + height - 1, x + width // 2]) == rgb(label)
    assert tuple(out[y + height // 2, x]) == rgb(label)
    assert tuple(out[y + height // 2, x + width - 1]) == rgb(label)
    assert (out[y + 10 : y + 90, x + 10 : x + 90] == 128).all()  # the face is left alone
    left, top, _right, _bottom = extent(out)
    assert left >= x - 2
    assert top < y - 12  # the tag, above


def test_the_tag_says_the_share():
    assert (painted(reading(CENTRE, share=0.92)) != painted(reading(CENTRE, share=0.52))).any()
    assert (painted(reading(CENTRE, share=0.921)) == painted(reading(CENTRE, share=0.922))).all()


def test_corners_are_round():
    out = painted(reading(CENTRE))
    assert tuple(out[CENTRE[1], CENTRE[0]]) == (128, 128, 128)


def test_a_mixture_has_a_line_of_its_own():
    plain = extent(painted(reading(CENTRE)))
    mixed = extent(painted(reading(CENTRE, mixture=[("happy", 0.6), ("surprise", 0.3)])))
    assert plain[1] - mixed[1] >= 9
    assert extent(painted(reading(CENTRE, mixture=[("happy", 0.6)]))) == plain


def test_an_uncertain_reading_is_dashed_and_muted():
    out = painted(reading(CENTRE, uncertain="no expression stands out"))
    assert count(out, "happy") == 0
    x, y, width, height = CENTRE
    edge = (out[y + height - 1, x : x + width] != 128).any(axis=1)
    assert 0.3 < edge.mean() < 0.8
    assert (np.diff(edge.astype(int)) == 1).sum() >= 3
    below = slice(y + height + 8, None)
    assert (out[below] == 128).all()


@pytest.mark.parametrize("size", [(640, 480), (320, 240), (1500, 1000)])
def test_tags_stay_inside_at_every_edge(size):
    width, height = size
    side = height // 5
    whole = count(painted(reading(((width - side) // 2, (height - side) // 2, side, side)), size=size), "happy")
    for x in (0, (width - side) // 2, width - side):
        for y in (0, (height - side) // 2, height - side):
            # Where it must lie on its own box, it hides a part of that.
            assert count(painted(reading((x, y, side, side)), size=size), "happy") > 0.8 * whole


def test_neighbours_do_not_hide_each_others_tags():
    faces = [reading((100 + 70 * i, 200, 60, 60), label) for i, label in enumerate(EMOTIONS)]
    together = painted(*faces)
    for face in faces:
        assert count(together, face.emotions.top) >= 0.9 * count(painted(face), face.emotions.top)


def test_a_tag_avoids_the_face_above():
    above, below = reading((200, 100, 100, 100), "sad"), reading((200, 205, 100, 100), "happy")
    out = painted(above, below)
    assert (out[110:190, 210:290] == 128).all()


def test_letters_grow_with_the_picture():
    small, large = (
        extent(painted(reading((w // 4, h // 4, h // 3, h // 3)), size=(w, h))) for w, h in [(640, 480), (3200, 2400)]
    )
    assert large[3] - large[1] > 4 * (small[3] - small[1])


def test_a_small_face_in_a_large_picture_is_not_painted_over():
    out = painted(reading((1500, 1100, 24, 24)), size=(3000, 2200))
    assert (out[1107:1117, 1507:1517] == 128).all()
    left, top, right, bottom = extent(out)
    assert right - left > 70  # its tag can be read in the whole picture
    assert bottom - top < 120


@pytest.mark.parametrize("side", [1, 2, 5, 16, 24, 48, 64, 100])
def test_the_picture_is_the_face(side):
    """What the detector ``none`` says: no room for words is no reason to fail."""
    mixture = [("surprise", 0.5), ("fear", 0.4)]
    painted(reading((0, 0, side, side), "surprise", mixture=mixture), size=(side, side))
    painted(reading((0, 0, side, side), "surprise", uncertain="small"), size=(side, side))


def test_a_picture_too_small_for_words_has_the_box_alone():
    out = painted(reading((0, 0, 20, 20)), size=(20, 20))
    assert count(out, "happy") > 40
    assert (out[6:14, 6:14] == 128).all()


@pytest.mark.parametrize(
    "box",
    [(-50, -50, 120, 120), (600, 440, 200, 200), (-9, 100, 5, 5), (700, 500, 50, 50), (50, 50, 0, 0), (0, 0, 3, 400)],
)
def test_boxes_may_lie_outside_or_be_degenerate(box):
    painted(reading(box))
    painted(reading(box, uncertain="odd"))


@pytest.mark.parametrize(
    "label", ["müde", "悲しい", "🙂", "a label that is far too long for any picture of this size " * 3, ""]
)
def test_labels_of_a_users_own(label):
    labels = (label, "other")
    out = painted(reading(CENTRE, label, labels=labels))
    assert count(out, label, labels) > 500
    assert count(out, "other", labels) == 0


def test_readings_of_a_crowd_are_painted_quickly():
    rng = np.random.default_rng(0)
    places = zip(rng.integers(0, 1900, 150), rng.integers(0, 1000, 150), strict=True)
    faces = [reading((int(x), int(y), 24, 24)) for x, y in places]
    start = time.process_time()
    painted(*faces, size=(1920, 1080))
    assert time.process_time() - start < 3  # a third of a second on an idle core
