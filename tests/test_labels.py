"""Colours, emoji and aliases of labels, also of labels that mien does not define."""

import re

import pytest

from mien.labels import EMOTIONS, VOTES, label_colour, label_emoji, normalize_label


@pytest.mark.parametrize("among", [(), EMOTIONS, ("bored", "happy")])
def test_colours_of_defined_labels_do_not_depend_on_the_model(among):
    assert len({label_colour(label, among) for label in VOTES}) == len(VOTES)
    assert [label_colour(label, among) for label in VOTES] == [label_colour(label) for label in VOTES]


def test_other_labels_of_a_model_have_different_colours():
    labels = ("bored", "focus", "tired", "тоска", "happy", "ashamed", "proud", "calm")
    assert len({label_colour(label, labels) for label in labels}) == len(labels)


def test_every_label_has_a_colour():
    labels = tuple(f"class {number}" for number in range(30))
    assert all(re.fullmatch("#[0-9a-f]{6}", label_colour(label, labels)) for label in (*labels, "stranger", ""))


def test_defined_labels_have_emoji_and_others_a_dot():
    assert len({label_emoji(label) for label in VOTES}) == len(VOTES)
    assert label_emoji("bored") == "•"


def test_aliases_are_normalized_to_fer2013_labels():
    assert [normalize_label(name) for name in (" Happiness", "ANGER", "bored")] == ["happy", "angry", "bored"]
