"""Who is who: assignment against brute force, looks, cuts, and people who cross, hide, jump and leave."""

from itertools import permutations
from math import inf, sin

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from films import EXAMPLES, two_people
from mien.faces.detectors import load_detector
from mien.results import Box, Face, Point
from mien.video.tracker import MAX_MISSED_SECONDS, SEARCH_NEAR_SECONDS, DetectionResult, DetectionSchedule, FaceTracker, InterpolatingTracker, SceneCutDetector, Tracker, appearance_distance, compute_appearance, interpolate_faces, solve_assignment

# The best pairs

COSTS = st.one_of(st.floats(0, 100), st.just(inf), st.integers(0, 3).map(float))


@given(arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=5), elements=COSTS))
def test_pairs_are_as_many_as_can_be_and_the_cheapest(costs):
    pairs = solve_assignment(costs)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    assert all(np.isfinite(costs[pair]) for pair in pairs)
    count, total = len(pairs), sum(costs[pair] for pair in pairs)
    best = brute_force(costs)
    assert count == best[0]
    assert total == pytest.approx(best[1], abs=1e-6)


def brute_force(costs):
    if costs.shape[0] > costs.shape[1]:
        costs = costs.T
    found = []
    for columns in permutations(range(costs.shape[1]), costs.shape[0]):
        chosen = [costs[row, column] for row, column in enumerate(columns) if np.isfinite(costs[row, column])]
        found.append((-len(chosen), sum(chosen)))
    most, least = min(found)
    return -most, least


def test_nothing_to_assign_is_nothing():
    assert solve_assignment(np.zeros((0, 3))) == []
    assert solve_assignment(np.zeros((2, 0))) == []
    assert solve_assignment(np.full((2, 2), inf)) == []


# Looks


def test_people_look_like_themselves_and_unlike_each_other():
    both = cv2.resize(np.array(two_people()), (640, 360))
    [one, other] = [face.box for face in load_detector("haar").detect(both)]
    moved = Box(one.x + 4, one.y - 3, one.width - 5, one.height - 5)
    darker = (both * 0.7).astype(np.uint8)
    same = [compute_appearance(both, moved), compute_appearance(darker, one), compute_appearance(cv2.GaussianBlur(both, (0, 0), 2), one)]
    assert max(appearance_distance(compute_appearance(both, one), look) for look in same) < 0.12
    assert appearance_distance(compute_appearance(both, one), compute_appearance(both, other)) > 0.3


@pytest.mark.parametrize("box", [Box(-50, -50, 20, 20), Box(630, 350, 90, 90), Box(0, 0, 1, 1), Box(900, 900, 5, 5)])
def test_any_box_has_a_look(box):
    assert (
        appearance_distance(compute_appearance(np.zeros((360, 640, 3), np.uint8), box), compute_appearance(cv2.resize(two_people(), (640, 360)), box)) >= 0
    )


# Shots


def test_a_cut_is_told_and_a_moving_flashing_picture_is_not():
    portrait = cv2.resize(cv2.imread(str(EXAMPLES / "astronaut.jpg")), (400, 300))
    other = cv2.resize(cv2.imread(str(EXAMPLES / "hopper.jpg")), (400, 300))
    shots = SceneCutDetector()
    frames = [portrait, np.roll(portrait, 6, 1), cv2.convertScaleAbs(portrait, alpha=1.6), portrait, other, other]
    assert [shots.cut(frame) for frame in frames] == [False, False, False, False, True, False]
    assert shots.cut(other[:200])  # another size is another shot
    black = np.zeros((300, 400, 3), np.uint8)
    noise = np.random.default_rng(0).normal(0, 4, (2, *black.shape)).clip(0, 255).astype(np.uint8)
    assert [shots.cut(black), shots.cut(noise[0]), shots.cut(noise[1])] == [True, False, False]


# Numbers


class Stage:
    """Faces as patches of colour on a gray wall, and a tracker that watches."""

    def __init__(self, rate=25.0):
        self.tracker, self.rate, self.frame = Tracker(), rate, 0

    def show(self, *people, detection=0.9):
        """(x, y, colour) or (x, y, colour, size) for each; the numbers they got."""
        pixels, faces = np.full((360, 640, 3), 120, np.uint8), []
        for x, y, colour, *size in people:
            [side] = size or [80]
            x, y = round(x), round(y)
            pixels[max(y - side, 0) : y + side, max(x - side // 2, 0) : x + side // 2] = colour
            pixels[max(y - side // 4, 0) : y, max(x - side // 4, 0) : x + side // 4] = 255 - np.array(colour)
            faces.append(Face(Box(x - side // 2, y - side // 2, side, side), detection))
        self.frame += 1
        return self.tracker.step(pixels, faces, self.frame / self.rate)

    def pause(self, seconds):
        for _ in range(round(seconds * self.rate)):
            self.show()


RED, BLUE = (200, 60, 50), (40, 80, 210)


def test_who_walks_keeps_the_number():
    stage = Stage()
    assert {stage.show((100 + 8 * step, 180 + 5 * sin(step), RED)) for step in range(50)} == {(1,)}


def test_two_who_cross_keep_their_numbers_though_one_is_hidden():
    stage = Stage()
    for step in range(60):
        red, blue = (80 + 8 * step, 180, RED), (560 - 8 * step, 180, BLUE)
        hidden = abs(red[0] - blue[0]) < 60
        numbers = stage.show(red) if hidden else stage.show(red, blue)
        assert numbers == ((1,) if hidden else (1, 2))


def test_who_comes_back_soon_has_the_same_number_and_later_another():
    stage = Stage()
    for step in range(20):
        stage.show((100 + 6 * step, 180, RED))
    stage.pause(MAX_MISSED_SECONDS / 2)
    assert stage.show((270, 180, RED)) == (1,)
    stage.pause(MAX_MISSED_SECONDS + 0.2)
    assert stage.show((270, 180, RED)) == (2,)


def test_another_who_comes_to_the_same_place_is_another():
    stage = Stage()
    stage.show((300, 180, RED))
    stage.pause(0.5)
    assert stage.show((300, 180, BLUE)) == (2,)


def test_who_jumps_is_known_by_looks_and_a_stranger_far_away_is_not():
    stage = Stage()
    stage.show((200, 180, RED))
    stage.show((204, 180, RED))
    assert stage.show((400, 180, RED)) == (1,)
    assert stage.show((210, 180, BLUE)) == (2,)


def test_who_is_seen_once_and_not_surely_is_nobody_yet():
    stage = Stage()
    assert stage.show((300, 180, RED), detection=0.6) == (None,)
    assert stage.show((302, 180, RED), detection=0.6) == (None,)
    assert stage.show((304, 180, RED), detection=0.6) == (1,)
    stage.show()
    assert stage.show((500, 180, BLUE), detection=0.6) == (None,)
    stage.pause(SEARCH_NEAR_SECONDS + 0.2)
    assert stage.show((502, 180, BLUE), detection=0.6) == (None,)


def test_a_new_shot_gives_new_numbers_and_none_twice():
    stage = Stage()
    stage.show((300, 180, RED))
    stage.tracker.end()
    assert stage.show((300, 180, RED)) == (2,)


def test_few_frames_a_second_are_enough():
    stage = Stage(rate=2.0)
    for step in range(8):
        assert stage.show((80 + 60 * step, 180, RED), (560, 180, BLUE)) == (1, 2)


BOXES = st.tuples(st.integers(-40, 680), st.integers(-40, 400), st.integers(1, 300))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(BOXES, max_size=4), max_size=6))
def test_any_faces_get_numbers_each_its_own(frames):
    tracker, pixels = Tracker(), two_people()
    for index, boxes in enumerate(frames):
        faces = [Face(Box(x, y, side, side)) for x, y, side in boxes]
        numbers = tracker.step(pixels, faces, index / 10)
        assert len(set(numbers)) == len(faces)


# Following, with the real detectors


class Counting:
    """Haar, and how often all of a picture was searched."""

    name = "haar"

    def __init__(self):
        self._haar, self.searches = load_detector("haar"), 0

    def detect(self, pixels, *, min_face=None):
        self.searches += 1
        return self._haar.detect(pixels, min_face=min_face)

    def near(self, pixels, boxes):
        return self._haar.near(pixels, boxes)


def followed(detector, frames, stride=None, rate=25.0):
    searcher = DetectionSchedule(detector)
    strides = InterpolatingTracker(FaceTracker(detector, searcher), stride)
    known = []
    for index, pixels in enumerate(frames):
        known += strides.step(index, pixels, index / rate, searcher.search(pixels, index / rate))
    return known + strides.rest()


def moving(count, step=3):
    wide = cv2.resize(two_people(), (640, 360))
    return [np.roll(wide, step * index, axis=1) for index in range(count)]


def test_a_film_is_searched_seldom_and_everybody_is_followed():
    detector = Counting()
    known = followed(detector, moving(30))
    assert [item for item, _ in known] == list(range(30))
    assert detector.searches <= 5
    for index, people in known:
        assert {number for number, _ in people} == {1, 2}
        left = min(face.box.x for _, face in people)
        assert left == pytest.approx(known[0][1][-1][1].box.x + 3 * index, abs=10)


def test_yunet_follows_as_well(yunet_file):
    known = followed(load_detector("yunet", yunet=yunet_file), moving(20))
    for _, people in known:
        assert {number for number, _ in people} == {1, 2}
        assert all(len(face.landmarks) == 5 for _, face in people)


def test_frames_before_a_cut_belong_to_the_old_shot():
    portrait = cv2.cvtColor(cv2.imread(str(EXAMPLES / "hopper.jpg")), cv2.COLOR_BGR2RGB)
    known = followed(load_detector("haar"), moving(8, 0) + [cv2.resize(portrait, (480, 480))] * 6)
    assert [item for item, _ in known] == list(range(14))
    assert [{number for number, _ in people} for _, people in known] == [{1, 2}] * 8 + [{3}] * 6


class Plain:
    """A detector that cannot look near."""

    name = "plain"

    def detect(self, pixels, *, min_face=None):
        return (Face(Box(10, 10, 50, 50)),)


def test_a_detector_without_near_searches_every_frame():
    searcher = DetectionSchedule(Plain())
    frames = moving(4)
    assert all(searcher.search(pixels, index / 25).faces for index, pixels in enumerate(frames))
    known = followed(Plain(), frames)
    assert [[number for number, _ in people] for _, people in known] == [[1]] * 4


def test_faces_between_two_looks_lie_on_the_way():
    points = tuple(Point(float(i), 0.0) for i in range(5))
    moved = tuple(Point(i + 8.0, 4.0) for i in range(5))
    before = ((1, Face(Box(0, 0, 40, 40), 0.9, points)), (2, Face(Box(300, 0, 40, 40))), (None, Face(Box(90, 9, 9, 9))))
    after = ((1, Face(Box(8, 4, 44, 40), 0.7, moved)), (3, Face(Box(300, 0, 40, 40))))
    [(number, face)] = interpolate_faces(before, after, 0.5)
    assert (number, face.box, face.detection) == (1, Box(4, 2, 42, 40), 0.7)
    assert face.landmarks[0] == Point(4.0, 2.0)
    jumped = ((1, Face(Box(200, 4, 44, 40), 0.7)),)
    assert interpolate_faces(before, jumped, 0.5) == ()


def test_who_gets_out_of_sight_is_searched_for_once():
    detector = Counting()
    searcher = DetectionSchedule(detector)
    follower = FaceTracker(detector, searcher)
    frames = moving(1)
    empty = np.full_like(frames[0], 90)
    follower.step(frames[0], 0.0, searcher.search(frames[0], 0.0))
    for index in range(1, 5):
        follower.step(empty, index / 25, DetectionResult(False, None))
    assert detector.searches == 2
