"""The words: their emoji and colours, also for a model with labels that we have never heard of."""

import re

import pytest

from mien.labels import EMOTIONS, VOTES, label_colour, label_emoji, normalize_label


@pytest.mark.parametrize("among", [(), EMOTIONS, ("bored", "happy")])
def test_our_own_labels_keep_their_colours_in_every_company(among):
    assert len({label_colour(label, among) for label in VOTES}) == len(VOTES)
    assert [label_colour(label, among) for label in VOTES] == [label_colour(label) for label in VOTES]


def test_no_two_labels_of_a_users_own_share_a_colour():
    labels = ("bored", "focus", "tired", "тоска", "happy", "ashamed", "proud", "calm")
    assert len({label_colour(label, labels) for label in labels}) == len(labels)


def test_any_label_has_a_colour():
    labels = tuple(f"class {number}" for number in range(30))
    assert all(re.fullmatch("#[0-9a-f]{6}", label_colour(label, labels)) for label in (*labels, "stranger", ""))


def test_every_label_of_ours_has_a_face_and_others_a_dot():
    assert len({label_emoji(label) for label in VOTES}) == len(VOTES)
    assert label_emoji("bored") == "•"


def test_what_others_call_an_expression_is_known():
    assert [normalize_label(word) for word in (" Happiness", "ANGER", "bored")] == ["happy", "angry", "bored"]
