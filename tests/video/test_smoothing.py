"""Smoothing of scores over time, and scores relative to a face at rest."""

from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
import pytest

from analyzed_frames import CARD, DECIDE, make_frame, make_frames, make_noisy_frames, make_reading, scores
from mien.errors import MienError
from mien.labels import EMOTIONS
from mien.models.decision import build_emotions
from mien.results import Quality
from mien.video.baseline import Baseline
from mien.video.events import time_frames
from mien.video.smoothing import Smoother

HAPPY, SAD, NEUTRAL = scores(happy=0.85), scores(sad=0.8), scores(neutral=0.8)
UNUSABLE = Quality(False, "turned to the side")


def leading_emotions(frames):
    return [reading.emotions.top for frame in frames for reading in frame]


def count_changes(values):
    return sum(one != other for one, other in pairwise(values))


def smoothed(frames):
    return list(map(Smoother(DECIDE).step, frames))


# Smoothing


def test_noisy_scores_of_an_unchanged_face_keep_one_leading_emotion():
    frames = make_noisy_frames(scores(sad=0.40, neutral=0.35), 20)
    assert count_changes(leading_emotions(frames)) > 50
    assert count_changes(leading_emotions(smoothed(frames))) <= 1


@pytest.mark.parametrize("fps", [5, 10, 15, 25, 30, 60])
def test_change_is_visible_within_a_fifth_of_a_second(fps):
    frames = smoothed(make_frames((3, HAPPY), (2, SAD), fps=fps))
    first_sad = next(frame.seconds for frame in frames if leading_emotions([frame]) == ["sad"])
    assert first_sad - 3 <= 0.2


def test_single_outlier_has_no_effect():
    frames = make_frames((2, HAPPY), (0.04, SAD), (2, HAPPY))
    assert set(leading_emotions(smoothed(frames))) == {"happy"}


def test_smoothed_scores_are_near_the_mean_and_sum_to_one():
    frames = smoothed(make_noisy_frames(scores(happy=0.5, surprise=0.3), 10, 0.05))
    for [reading] in frames[20:]:
        assert sum(each.score for each in reading.emotions.scores) == pytest.approx(1, abs=1e-5)
        assert reading.emotions["happy"] == pytest.approx(0.5, abs=0.08)


def test_leading_emotion_stays_while_two_scores_are_nearly_equal():
    sad, neutral = scores(sad=0.42, neutral=0.40), scores(sad=0.40, neutral=0.42)
    frames = make_frames(*[(0.2, sad if number % 2 else neutral) for number in range(20)])
    assert count_changes(leading_emotions(frames)) > 10
    assert count_changes(leading_emotions(smoothed(frames))) == 0


def test_uncertainty_has_hysteresis():
    rng = np.random.default_rng(0)
    frames = [make_frame(index, make_reading(scores(happy=0.4 + rng.normal(0, 0.01)))) for index in range(200)]
    raw = [reading.emotions.uncertain is None for frame in frames for reading in frame]
    after = [reading.emotions.uncertain is None for frame in smoothed(frames) for reading in frame]
    assert count_changes(raw) > 20
    assert count_changes(after) <= 1


def test_unusable_face_is_unchanged_and_does_not_affect_others():
    frames = make_frames((2, HAPPY))
    frames[10] = make_frame(10, make_reading(SAD, quality=UNUSABLE))
    after = smoothed(frames)
    assert after[10].result.readings == frames[10].result.readings
    assert after[11].result.readings[0].emotions["sad"] == pytest.approx(HAPPY[4], abs=1e-6)


def test_smoothing_restarts_after_a_second_without_a_face():
    frames = smoothed(make_frames((2, HAPPY), (1, None), (0.2, SAD)))
    assert leading_emotions(frames[-5:-4]) == ["sad"]


def test_tracks_are_smoothed_independently():
    smoother = Smoother(DECIDE)
    for index in range(30):
        frame = smoother.step(make_frame(index, make_reading(HAPPY, 1), make_reading(SAD, 2)))
    assert leading_emotions([frame]) == ["happy", "sad"]


# Baseline

SAD_AT_REST = scores(sad=0.6, neutral=0.3)


def measure_baseline(frames, seconds=None):
    baseline = Baseline(EMOTIONS, seconds)
    for timed in time_frames(frames):
        baseline.add(timed.frame, timed.until)
    return baseline


@pytest.mark.parametrize("seconds", [None, 1.0])
def test_face_that_looks_sad_at_rest_is_neutral_relative_to_its_baseline(seconds):
    frames = make_frames((3, SAD_AT_REST), (1, scores(happy=0.6, sad=0.25)), (1, scores(sad=0.96)))
    assert leading_emotions(frames)[0] == "sad"
    baseline = measure_baseline(frames, seconds)
    relative = [baseline.apply(frame, DECIDE) for frame in frames]
    emotions = leading_emotions(relative)
    assert (emotions[10], emotions[80], emotions[110]) == ("neutral", "happy", "sad")
    [reading] = relative[10]
    assert reading.emotions["neutral"] >= 0.6


def test_baseline_of_a_neutral_face_changes_nothing():
    frames = make_frames((2, NEUTRAL), (1, HAPPY))
    baseline = measure_baseline(frames)
    assert [baseline.apply(frame, DECIDE) for frame in frames] == frames


def test_each_track_has_its_own_baseline():
    frames = [make_frame(index, make_reading(SAD_AT_REST, 1), make_reading(SAD, 2)) for index in range(50)]
    frames += [make_frame(index, make_reading(HAPPY, 1), make_reading(HAPPY, 2)) for index in range(50, 60)]
    baseline = measure_baseline(frames, 1.0)
    assert baseline.resting_scores(1)[4] == pytest.approx(0.6)
    assert baseline.resting_scores(2)[4] == pytest.approx(0.8)


def test_track_of_a_fifth_of_a_second_has_no_baseline():
    frames = make_frames((0.2, SAD_AT_REST))
    baseline = measure_baseline(frames)
    assert baseline.resting_scores(1) is None
    assert baseline.apply(frames[0], DECIDE) == frames[0]


def test_unusable_faces_are_not_part_of_the_baseline():
    frames = [make_frame(index, make_reading(SAD, quality=UNUSABLE)) for index in range(100)]
    assert measure_baseline(frames).resting_scores(1) is None


def test_baseline_needs_the_label_neutral():
    with pytest.raises(MienError, match="the label 'neutral'"):
        Baseline(("open", "closed"))


def test_votes_are_relative_to_the_baseline_too():
    decide = partial(build_emotions, replace(CARD, vote_labels=EMOTIONS, uncertain_below=0.0))
    reading = replace(make_reading(SAD_AT_REST), emotions=decide(SAD_AT_REST, SAD_AT_REST))
    frames = [make_frame(index, reading) for index in range(50)]
    [relative] = measure_baseline(frames).apply(frames[0], decide)
    assert max(relative.emotions.votes, key=lambda vote: vote.score).label == "neutral"
