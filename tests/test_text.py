"""The wording of readings, percentages and times."""

import pytest

from mien import text
from mien.results import Box, Emotions, Face, FrameResult, Quality, Reading, Score


def make_reading(*scores, votes=None, mixture=(), uncertain=None, quality=Quality()):  # noqa: B008
    emotions = Emotions(
        tuple(Score(*score) for score in scores), votes, tuple(Score(*score) for score in mixture), uncertain
    )
    return Reading(Face(Box(0, 0, 9, 9)), emotions, quality)


HAPPY = make_reading(("happy", 0.934), ("sad", 0.066))


@pytest.mark.parametrize(
    ("label", "expected"),
    [("fear", "looks fearful"), ("happiness", "looks happiness"), ("disgusted", "looks disgusted")],
)
def test_labels_are_described_by_an_adjective(label, expected):
    assert text.describe_label(label) == expected


def test_title_says_why_only_if_the_target_is_the_prediction():
    assert text.format_explanation_title("happy", "happy") == "Why it looks happy"
    assert text.format_explanation_title("fear", "fear", "sad") == "Why it looks fearful compared with sad"
    assert text.format_explanation_title("happy", "fear") == "Evidence for fear"
    assert text.format_explanation_title("happy", "sad", "happy") == "Evidence for sad compared with happy"


def test_headline_has_the_probability_and_marks_uncertainty():
    assert text.format_headline(HAPPY) == "looks happy · 93 %"
    uncertain = make_reading(("fear", 0.4), ("sad", 0.6), uncertain="no expression stands out")
    assert text.format_headline(uncertain) == "perhaps looks sad · 60 %"


def test_doubts_are_sentences_and_a_good_reading_has_none():
    assert text.describe_doubts(HAPPY) == ()
    poor = make_reading(
        ("sad", 1.0), uncertain="no expression stands out", quality=Quality(False, "the face is blurred")
    )
    assert text.describe_doubts(poor) == (
        "Hard to judge: the face is blurred.",
        "Unsure: no expression stands out.",
    )
    unclear = make_reading(("sad", 1.0), quality=Quality(False))
    assert text.describe_doubts(unclear) == ("Hard to judge: the face is not clear.",)


def test_mixture_is_described_only_if_it_has_several_expressions():
    assert text.describe_mixture(make_reading(("sad", 1.0), mixture=[("sad", 0.9)])) == ""
    mixed = make_reading(("sad", 1.0), mixture=[("sad", 0.6), ("fear", 0.3), ("angry", 0.1)])
    expected = "Mixed expression: 60 % sad, 30 % fear and 10 % angry of the predicted annotator votes."
    assert text.describe_mixture(mixed) == expected
    assert text.join_scores(mixed.emotions.mixture) == "60 % sad, 30 % fear, 10 % angry"


def test_votes_are_rounded_to_ten_and_absent_without_the_head():
    reading = make_reading(("sad", 1.0), votes=(Score("happy", 0.72), Score("sad", 0.25), Score("fear", 0.03)))
    assert text.describe_votes(reading) == "Predicted annotator votes (FER+), of ten: 7 happy and 3 sad."
    assert text.describe_votes(HAPPY) == ""


@pytest.mark.parametrize(("count", "expected"), [(0, "No face"), (1, "One face"), (12, "12 faces")])
def test_faces_are_counted(count, expected):
    assert text.describe_face_count(FrameResult("a.jpg", (9, 9), (HAPPY,) * count)) == expected


def test_percentages_have_a_space_and_digits_as_requested():
    assert text.format_percent(0.934) == "93 %"
    assert text.format_percent(0.7134, 1, no_break=True) == "71.3\u00a0%"


@pytest.mark.parametrize(
    ("seconds", "time", "duration"),
    [
        (0.08, "0.1 s", "0.08 s"),
        (12.44, "12.4 s", "12 s"),
        (62.44, "1:02.4", "1 min 2 s"),
        (3602, "1:00:02", "1 h 0 min"),
    ],
)
def test_times_and_durations_have_the_unit_of_their_size(seconds, time, duration):
    assert text.format_time(seconds) == time
    assert text.format_duration(seconds) == duration


def test_expressions_are_counted_with_uncertain_faces_last():
    sad = make_reading(("happy", 0.2), ("sad", 0.8))
    unsure = make_reading(("happy", 0.5), ("sad", 0.5), uncertain="no expression stands out")
    readings = [sad, unsure, unsure, unsure, HAPPY, HAPPY]
    assert text.count_expressions(readings) == {"happy": 2, "sad": 1, "uncertain": 3}
    assert text.summarize_expressions(readings) == "2 happy, 1 sad, 3 uncertain"
    assert text.summarize_expressions([]) == ""
