"""Tracking: assignment, appearance, scene cuts, track numbers, detection schedule and interpolation."""

from itertools import permutations
from math import inf, sin

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from mien.faces.detectors import load_detector
from mien.results import Box, Face, Point
from mien.video.tracker import (
    MAX_MISSED_SECONDS,
    SEARCH_NEAR_SECONDS,
    DetectionResult,
    DetectionSchedule,
    FaceTracker,
    InterpolatingTracker,
    SceneCutDetector,
    Tracker,
    appearance_distance,
    compute_appearance,
    interpolate_faces,
    solve_assignment,
)
from video_files import EXAMPLES, two_faces

# Assignment

COSTS = st.one_of(st.floats(0, 100), st.just(inf), st.integers(0, 3).map(float))


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=5), elements=COSTS))
def test_assignment_has_the_most_pairs_and_the_least_cost(costs):
    pairs = solve_assignment(costs)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    assert all(np.isfinite(costs[pair]) for pair in pairs)
    count, total = best_assignment(costs)
    assert len(pairs) == count
    assert sum(costs[pair] for pair in pairs) == pytest.approx(total, abs=1e-6)


def best_assignment(costs):
    """The number of pairs and their cost, by trying all permutations."""
    if costs.shape[0] > costs.shape[1]:
        costs = costs.T
    candidates = []
    for columns in permutations(range(costs.shape[1]), costs.shape[0]):
        finite = [costs[row, column] for row, column in enumerate(columns) if np.isfinite(costs[row, column])]
        candidates.append((-len(finite), sum(finite)))
    count, total = min(candidates)
    return -count, total


def test_assignment_without_finite_costs_is_empty():
    assert solve_assignment(np.zeros((0, 3))) == []
    assert solve_assignment(np.zeros((2, 0))) == []
    assert solve_assignment(np.full((2, 2), inf)) == []


# Appearance


@pytest.fixture(scope="module")
def large_image():
    return cv2.resize(two_faces(), (640, 360))


def test_appearance_is_similar_for_one_person_and_different_for_two(large_image):
    [one, other] = [face.box for face in load_detector("haar").detect(large_image)]
    moved = Box(one.x + 4, one.y - 3, one.width - 5, one.height - 5)
    darker = (large_image * 0.7).astype(np.uint8)
    blurred = cv2.GaussianBlur(large_image, (0, 0), 2)
    appearance = compute_appearance(large_image, one)
    variants = [(large_image, moved), (darker, one), (blurred, one)]
    assert max(appearance_distance(appearance, compute_appearance(*variant)) for variant in variants) < 0.12
    assert appearance_distance(appearance, compute_appearance(large_image, other)) > 0.3


@pytest.mark.parametrize("box", [Box(-50, -50, 20, 20), Box(630, 350, 90, 90), Box(0, 0, 1, 1), Box(900, 900, 5, 5)])
def test_appearance_accepts_boxes_outside_the_image(box, large_image):
    black = np.zeros_like(large_image)
    assert appearance_distance(compute_appearance(black, box), compute_appearance(large_image, box)) >= 0


# Scene cuts


def test_scene_cut_is_detected_at_another_image_and_not_at_motion_or_brighter_light():
    first = cv2.resize(cv2.imread(str(EXAMPLES / "astronaut.jpg")), (400, 300))
    second = cv2.resize(cv2.imread(str(EXAMPLES / "hopper.jpg")), (400, 300))
    detector = SceneCutDetector()
    frames = [first, np.roll(first, 6, 1), cv2.convertScaleAbs(first, alpha=1.6), first, second, second]
    assert [detector.is_cut(frame) for frame in frames] == [False, False, False, False, True, False]
    assert detector.is_cut(second[:200])  # another size is another shot


def test_noise_on_black_is_no_scene_cut():
    black = np.zeros((300, 400, 3), np.uint8)
    noise = np.random.default_rng(0).normal(0, 4, (2, *black.shape)).clip(0, 255).astype(np.uint8)
    detector = SceneCutDetector()
    assert not any(detector.is_cut(frame) for frame in (black, noise[0], noise[1]))


# Track numbers


class ColourScene:
    """Coloured patches as faces in front of a gray wall, and a tracker."""

    def __init__(self, fps=25.0):
        self.tracker, self.fps, self.frames = Tracker(), fps, 0

    def step(self, *faces, confidence=0.9):
        """Faces as (x, y, colour); returns their track numbers."""
        pixels, boxes = np.full((360, 640, 3), 120, np.uint8), []
        side = 80
        for x, y, colour in faces:
            x, y = round(x), round(y)
            pixels[max(y - side, 0) : y + side, max(x - side // 2, 0) : x + side // 2] = colour
            pixels[max(y - side // 4, 0) : y, max(x - side // 4, 0) : x + side // 4] = 255 - np.array(colour)
            boxes.append(Face(Box(x - side // 2, y - side // 2, side, side), confidence))
        self.frames += 1
        return self.tracker.update(pixels, boxes, self.frames / self.fps)

    def skip(self, seconds):
        """Frames without a face."""
        for _ in range(round(seconds * self.fps)):
            self.step()


RED, BLUE = (200, 60, 50), (40, 80, 210)


def test_moving_face_keeps_its_track():
    scene = ColourScene()
    assert {scene.step((100 + 8 * index, 180 + 5 * sin(index), RED)) for index in range(50)} == {(1,)}


def test_two_faces_that_cross_keep_their_tracks_though_one_is_occluded():
    scene = ColourScene()
    for index in range(60):
        red, blue = (80 + 8 * index, 180, RED), (560 - 8 * index, 180, BLUE)
        occluded = abs(red[0] - blue[0]) < 60
        numbers = scene.step(red) if occluded else scene.step(red, blue)
        assert numbers == ((1,) if occluded else (1, 2))


def test_track_continues_after_a_second_without_a_face_and_ends_after_the_limit():
    scene = ColourScene()
    for index in range(20):
        scene.step((100 + 6 * index, 180, RED))
    scene.skip(MAX_MISSED_SECONDS / 2)
    assert scene.step((270, 180, RED)) == (1,)
    scene.skip(MAX_MISSED_SECONDS + 0.2)
    assert scene.step((270, 180, RED)) == (2,)


def test_another_person_at_the_same_position_gets_another_track():
    scene = ColourScene()
    scene.step((300, 180, RED))
    scene.skip(0.5)
    assert scene.step((300, 180, BLUE)) == (2,)


def test_face_that_jumps_keeps_its_track_by_appearance():
    scene = ColourScene()
    scene.step((200, 180, RED))
    scene.step((204, 180, RED))
    assert scene.step((400, 180, RED)) == (1,)
    assert scene.step((210, 180, BLUE)) == (2,)


def test_face_of_low_confidence_gets_a_number_after_some_frames():
    scene = ColourScene()
    assert scene.step((300, 180, RED), confidence=0.6) == (None,)
    assert scene.step((302, 180, RED), confidence=0.6) == (None,)
    assert scene.step((304, 180, RED), confidence=0.6) == (1,)
    scene.step()
    assert scene.step((500, 180, BLUE), confidence=0.6) == (None,)
    scene.skip(SEARCH_NEAR_SECONDS + 0.2)
    assert scene.step((502, 180, BLUE), confidence=0.6) == (None,)


def test_reset_ends_tracks_and_does_not_reuse_numbers():
    scene = ColourScene()
    scene.step((300, 180, RED))
    scene.tracker.reset()
    assert scene.step((300, 180, RED)) == (2,)


def test_two_frames_a_second_are_enough_for_tracking():
    scene = ColourScene(fps=2.0)
    for index in range(8):
        assert scene.step((80 + 60 * index, 180, RED), (560, 180, BLUE)) == (1, 2)


BOXES = st.tuples(st.integers(-40, 680), st.integers(-40, 400), st.integers(1, 300))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(BOXES, max_size=4), max_size=6))
def test_faces_of_one_frame_have_different_tracks(frames):
    tracker, pixels = Tracker(), np.zeros((360, 640, 3), np.uint8)
    for index, boxes in enumerate(frames):
        faces = [Face(Box(x, y, side, side)) for x, y, side in boxes]
        numbers = [number for number in tracker.update(pixels, faces, index / 10) if number is not None]
        assert len(set(numbers)) == len(numbers)


# Detection schedule and interpolation


class CountingDetector:
    """The Haar detector; ``detections`` counts the searches of whole frames."""

    name = "haar"

    def __init__(self):
        self._haar, self.detections = load_detector("haar"), 0

    def detect(self, pixels, *, min_face=None):
        self.detections += 1
        return self._haar.detect(pixels, min_face=min_face)

    def detect_near(self, pixels, boxes):
        return self._haar.detect_near(pixels, boxes)


def track(detector, frames, fps=25.0):
    schedule = DetectionSchedule(detector)
    tracker = InterpolatingTracker(FaceTracker(detector, schedule))
    tracked = []
    for index, pixels in enumerate(frames):
        tracked += tracker.step(index, pixels, index / fps, schedule.step(pixels, index / fps))
    return tracked + tracker.flush()


def moving_frames(image, count, step=3):
    return [np.roll(image, step * index, axis=1) for index in range(count)]


def test_whole_frames_are_searched_seldom_and_all_faces_are_tracked(large_image):
    detector = CountingDetector()
    tracked = track(detector, moving_frames(large_image, 20))
    assert [index for index, _ in tracked] == list(range(20))
    assert detector.detections <= 4
    for index, faces in tracked:
        assert {number for number, _ in faces} == {1, 2}
        left = min(face.box.x for _, face in faces)
        assert left == pytest.approx(tracked[0][1][-1][1].box.x + 3 * index, abs=10)


def test_yunet_tracks_with_landmarks(yunet_file, large_image):
    for _, faces in track(load_detector("yunet", yunet=yunet_file), moving_frames(large_image, 20)):
        assert {number for number, _ in faces} == {1, 2}
        assert all(len(face.landmarks) == 5 for _, face in faces)


def test_frames_before_a_cut_have_the_tracks_of_the_first_shot(large_image):
    portrait = cv2.cvtColor(cv2.imread(str(EXAMPLES / "hopper.jpg")), cv2.COLOR_BGR2RGB)
    frames = moving_frames(large_image, 5, 0) + [cv2.resize(portrait, (480, 480))] * 4
    tracked = track(load_detector("haar"), frames)
    assert [index for index, _ in tracked] == list(range(9))
    assert [{number for number, _ in faces} for _, faces in tracked] == [{1, 2}] * 5 + [{3}] * 4


class WholeFrameDetector:
    """A detector that cannot search near a position."""

    name = "whole"

    def detect(self, pixels, *, min_face=None):
        return (Face(Box(10, 10, 50, 50)),)


def test_detector_without_local_search_runs_in_each_frame(large_image):
    schedule = DetectionSchedule(WholeFrameDetector())
    frames = moving_frames(large_image, 4)
    assert all(schedule.step(pixels, index / 25).faces for index, pixels in enumerate(frames))
    tracked = track(WholeFrameDetector(), frames)
    assert [[number for number, _ in faces] for _, faces in tracked] == [[1]] * 4


def test_interpolated_face_lies_between_two_detections():
    landmarks = tuple(Point(float(i), 0.0) for i in range(5))
    later_landmarks = tuple(Point(i + 8.0, 4.0) for i in range(5))
    before = (
        (1, Face(Box(0, 0, 40, 40), 0.9, landmarks)),
        (2, Face(Box(300, 0, 40, 40))),
        (None, Face(Box(90, 9, 9, 9))),
    )
    after = ((1, Face(Box(8, 4, 44, 40), 0.7, later_landmarks)), (3, Face(Box(300, 0, 40, 40))))
    [(number, face)] = interpolate_faces(before, after, 0.5)
    assert (number, face.box, face.detection) == (1, Box(4, 2, 42, 40), 0.7)
    assert face.landmarks[0] == Point(4.0, 2.0)


def test_face_that_jumped_is_not_interpolated():
    before, after = ((1, Face(Box(0, 0, 40, 40), 0.9)),), ((1, Face(Box(200, 4, 44, 40), 0.7)),)
    assert interpolate_faces(before, after, 0.5) == ()


def test_whole_frame_is_searched_once_when_a_face_is_missed(large_image):
    detector = CountingDetector()
    schedule = DetectionSchedule(detector)
    tracker = FaceTracker(detector, schedule)
    empty = np.full_like(large_image, 90)
    tracker.step(large_image, 0.0, schedule.step(large_image, 0.0))
    for index in range(1, 5):
        tracker.step(empty, index / 25, DetectionResult(False, None))
    assert detector.detections == 2
