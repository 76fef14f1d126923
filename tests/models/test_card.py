"""Cards in ONNX files: written, read back, and validated."""

import json
from contextlib import suppress
from dataclasses import replace

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import CardError, MienError, ModelDamaged, ModelMissing
from mien.labels import EMOTIONS
from mien.models import ModelCard, list_tensors, protobuf, write_card
from tiny import tiny_card, tiny_graph, tiny_model

FULL = ModelCard(
    name="full",
    labels=("froh", "traurig", "müde"),
    vote_labels=("yes", "no"),
    side=44,
    color="rgb",
    framings={"haar": (1.1, 0.0, -0.02), "yunet": (1.25, 0.01, 0.0)},
    temperature=1.31,
    votes_temperature=0.9,
    uncertain_below=0.42,
    mixture_above=0.15,
    parameters=1_560_000,
    multiply_adds=118_000_000,
    metrics={"accuracy": 0.71, "interval": {"low": 0.7, "high": 0.72}},
    recipe={"epochs": 80, "net": "residual"},
    license="see weights/LICENSE",
    date="2026-01-31",
)


def card_error(facts) -> CardError:
    with pytest.raises(CardError) as caught:
        ModelCard.from_json(json.dumps(facts))
    error = caught.value
    assert error.happened
    assert error.expected
    assert error.remedy
    return error


def test_card_is_read_back_from_the_file(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(write_card(tiny_graph(), FULL))
    assert ModelCard.read(path) == ModelCard.read(str(path)) == ModelCard.read(path.read_bytes()) == FULL


def test_json_has_every_field_and_unescaped_text():
    facts = json.loads(FULL.to_json())
    assert facts["labels"] == ["froh", "traurig", "müde"]
    assert facts["framings"]["yunet"] == [1.25, 0.01, 0.0]
    assert facts["version"] == 1
    assert set(facts) == set(FULL.to_dict())
    assert "müde" in FULL.to_json()


def test_file_with_a_card_is_valid_for_the_onnx_package():
    before, after = tiny_graph(), write_card(tiny_graph(), FULL)
    onnx.checker.check_model(onnx.load_model_from_string(after))
    assert onnx.load_model_from_string(after).graph == onnx.load_model_from_string(before).graph


def test_new_card_replaces_the_old_and_leaves_other_metadata():
    model = onnx.load_model_from_string(tiny_graph())
    model.metadata_props.add(key="author", value="somebody")
    twice = write_card(write_card(model.SerializeToString(), tiny_card()), FULL)
    metadata = {entry.key: entry.value for entry in onnx.load_model_from_string(twice).metadata_props}
    assert metadata == {"author": "somebody", "mien.card": FULL.to_json()}


def test_card_written_by_the_onnx_package_is_read():
    model = onnx.load_model_from_string(tiny_graph())
    model.metadata_props.add(key="mien.card", value=FULL.to_json())
    assert ModelCard.read(model.SerializeToString()) == FULL


def test_cards_are_comparable_and_hashable():
    assert hash(FULL) == hash(replace(FULL))
    assert replace(FULL, side=48) != FULL
    assert (FULL.channels, tiny_card().channels) == (3, 1)


def test_error_for_a_file_without_a_card_says_how_to_add_one(tmp_path):
    path = tmp_path / "other.onnx"
    path.write_bytes(tiny_graph())
    with pytest.raises(CardError) as caught:
        ModelCard.read(path)
    assert "other.onnx" in caught.value.happened
    assert "mien.card" in caught.value.expected
    assert "mien.models.write_card" in caught.value.remedy


def test_missing_facts_are_named_in_the_error():
    assert "no name and no labels" in card_error({"side": 48}).happened
    assert "no labels" in card_error({"name": "x"}).happened


def test_newer_card_asks_for_a_newer_version():
    error = card_error({"name": "x", "labels": ["a", "b"], "version": 2})
    assert "newer mien" in error.happened
    assert "Install a newer mien" in error.remedy


def test_unknown_facts_are_ignored():
    card = ModelCard.from_json(json.dumps({"name": "x", "labels": ["a", "b"], "pose_head": True}))
    assert card == ModelCard("x", ("a", "b"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", ""),
        ("name", 7),
        ("labels", []),
        ("labels", ["only"]),
        ("labels", ["a", "a"]),
        ("labels", ["a", ""]),
        ("labels", "ab"),
        ("labels", [["a"], ["b"]]),
        ("vote_labels", ["a", "a"]),
        ("side", 0),
        ("side", 48.0),
        ("side", True),
        ("color", "bgr"),
        ("color", ["rgb"]),
        ("framings", {"haar": [1.0, 0.0]}),
        ("framings", {"haar": [0.0, 0.0, 0.0]}),
        ("framings", {"haar": 1.0}),
        ("framings", []),
        ("temperature", 0),
        ("temperature", "1"),
        ("temperature", 10**400),
        ("framings", {"haar": [10**400, 0, 0]}),
        ("votes_temperature", -1.0),
        ("uncertain_below", 1.1),
        ("mixture_above", -0.1),
        ("parameters", -1),
        ("multiply_adds", 1.5),
        ("metrics", [1]),
        ("recipe", 3),
        ("license", None),
        ("date", 2026),
        ("version", 0),
        ("version", "1"),
    ],
)
def test_invalid_fact_is_named_in_the_error(key, value):
    error = card_error({"name": "x", "labels": ["a", "b"], key: value})
    assert f"{key} = " in error.happened


@pytest.mark.parametrize("card", ["", "{", "[]", "7", "null", "[" * 100_000, "\ud800".encode("utf-8", "surrogatepass")])
def test_card_that_is_no_json_object_is_an_error(card):
    with pytest.raises(CardError):
        ModelCard.from_json(card)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), {1, 2}, "\ud800"])
def test_metrics_that_are_no_json_cannot_be_written(number):
    with pytest.raises(CardError, match="cannot be written as JSON"):
        write_card(tiny_graph(), replace(FULL, metrics={"accuracy": number}))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b"\x89HDF\r\n\x1a\n" + bytes(64), "Keras .h5"),
        (b"PK\x03\x04" + bytes(64), "zip"),
        (b"\x80\x04\x95" + bytes(64), "pickle"),
        (b"\x1c\x00\x00\x00TFL3" + bytes(64), "TFLite"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "Git LFS"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"\x08\x08", "has no graph"),
        (b"just some text", "not ONNX"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "not ONNX"),
    ],
)
def test_other_file_formats_are_recognized_in_the_error(tmp_path, content, message):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelDamaged, match=message) as caught:
        ModelCard.read(path)
    assert "model.onnx" in str(caught.value)
    with pytest.raises(ModelDamaged):
        write_card(content, FULL)


def test_truncated_file_is_an_error_wherever_it_ends():
    model = tiny_model()
    for end in range(0, len(model), 7):
        with pytest.raises(MienError):
            ModelCard.read(model[:end])


def test_truncated_card_is_damaged():
    entry = protobuf.encode_field(1, "mien.card") + protobuf.encode_field(2, "{}")[:-1]
    with pytest.raises(CardError, match="damaged card"):
        ModelCard.read(tiny_graph() + protobuf.encode_field(14, entry))


def test_error_for_a_missing_path_suggests_a_similar_name(tmp_path):
    (tmp_path / "model.onnx").write_bytes(tiny_model())
    with pytest.raises(ModelMissing, match=r"Did you mean 'model\.onnx'\?"):
        ModelCard.read(tmp_path / "modle.onnx")
    with pytest.raises(ModelMissing, match="no folder"):
        ModelCard.read(tmp_path / "nowhere" / "model.onnx")
    with pytest.raises(ModelMissing, match="is a folder"):
        ModelCard.read(tmp_path)
    with pytest.raises(ModelMissing):
        ModelCard.read("no\0path")


@given(st.binary(max_size=200))
def test_random_bytes_raise_only_mien_errors(content):
    for read in (ModelCard.read, list_tensors):
        with pytest.raises(MienError):
            read(content)


MODEL = tiny_model()


@given(st.integers(0, len(MODEL) - 1), st.binary(max_size=6), st.integers(0, 6))
def test_damaged_files_raise_only_mien_errors(start, inserted, removed):
    damaged = MODEL[:start] + inserted + MODEL[start + removed :]
    for read in (ModelCard.read, list_tensors):
        with suppress(MienError):
            read(damaged)


@given(st.lists(st.tuples(st.integers(1, 1 << 20), st.binary(max_size=300))))
def test_encoded_fields_are_read_back(pairs):
    message = b"".join(protobuf.encode_field(number, content) for number, content in pairs)
    assert [(field.number, bytes(field.content)) for field in protobuf.read_fields(message)] == pairs


def test_fields_of_every_wire_type_are_read():
    message = b"\x08\x96\x01" + b"\x11" + bytes(8) + b"\x1d" + bytes(4) + protobuf.encode_field(4, "words")
    fields = list(protobuf.read_fields(message))
    assert [field.number for field in fields] == [1, 2, 3, 4]
    assert protobuf.decode_text(fields[-1].content) == "words"


def test_labels_of_the_card_keep_their_order():
    assert ModelCard.read(tiny_model()).labels == EMOTIONS
