"""What a reading says, in words."""

import pytest

from mien import text
from mien.results import Box, Emotions, Face, FrameResult, Quality, Reading, Score


def reading(*shares, votes=None, mixture=(), uncertain=None, quality=Quality()):  # noqa: B008
    parts, several = (tuple(Score(*each) for each in some) for some in (shares, mixture))
    emotions = Emotions(parts, votes, several, uncertain)
    return Reading(Face(Box(0, 0, 9, 9)), emotions, quality)


HAPPY = reading(("happy", 0.934), ("sad", 0.066))


@pytest.mark.parametrize(
    ("label", "said"), [("fear", "looks afraid"), ("happiness", "looks happiness"), ("disgusted", "looks disgusted")]
)
def test_the_expression_looks(label, said):
    assert text.describe_label(label) == said


def test_what_was_asked_for_is_called_what_it_said_only_if_it_did():
    assert text.format_explanation_title("happy", "happy") == "Why it looks happy"
    assert text.format_explanation_title("fear", "fear", "sad") == "Why it looks afraid rather than sad"
    assert text.format_explanation_title("happy", "fear") == "Evidence for fear"
    assert text.format_explanation_title("happy", "sad", "happy") == "Evidence for sad rather than happy"


def test_a_headline_says_how_sure_it_is():
    assert text.format_headline(HAPPY) == "looks happy · 93 %"
    unsure = reading(("fear", 0.4), ("sad", 0.6), uncertain="no share is large")
    assert text.format_headline(unsure) == "perhaps looks sad · 60 %"


def test_doubts_are_sentences_and_a_good_reading_has_none():
    assert text.describe_doubts(HAPPY) == ()
    poor = reading(("sad", 1.0), uncertain="no share is large", quality=Quality(False, "the face is blurred"))
    assert text.describe_doubts(poor) == ("Hard to judge: the face is blurred.", "Unsure: no share is large.")
    assert text.describe_doubts(reading(("sad", 1.0), quality=Quality(False))) == ("Hard to judge: the face is not clear.",)


def test_a_mixture_is_named_where_several_stand_out():
    assert text.describe_mixture(reading(("sad", 1.0), mixture=[("sad", 0.9)])) == ""
    mixed = reading(("sad", 1.0), mixture=[("sad", 0.6), ("fear", 0.3), ("angry", 0.1)])
    assert text.describe_mixture(mixed) == "A mixture: people would see 60 % sad, 30 % fear and 10 % angry."


def test_ten_people_are_ten_and_a_model_without_votes_says_nothing():
    voted = reading(("sad", 1.0), votes=(Score("happy", 0.72), Score("sad", 0.25), Score("fear", 0.03)))
    assert text.describe_votes(voted) == "Of ten people, 7 would say happy and 3 would say sad."
    assert text.describe_votes(HAPPY) == ""


@pytest.mark.parametrize(("count", "said"), [(0, "No face"), (1, "One face"), (12, "12 faces")])
def test_faces_are_counted_in_words(count, said):
    assert text.describe_face_count(FrameResult("a.jpg", (9, 9), (HAPPY,) * count)) == said
