"""Models that run: shares and votes from raw faces, held to the card, the same from any thread."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.errors import ArrayError, CardError, MienError, ModelDamaged, ModelError
from mien.labels import EMOTIONS
from mien.models import list_tensors, load_classifier, open_intermediate_outputs, write_card
from mien.models.classifier import MAX_BATCH
from tiny import kernel, tiny_card, tiny_graph, tiny_model


def some_faces(count, side=8, channels=1):
    return np.random.default_rng(count).integers(0, 256, (count, side, side, channels), dtype=np.uint8)


@pytest.fixture(scope="module")
def model():
    return load_classifier(tiny_model(), threads=1)


def refusal(model) -> CardError:
    with pytest.raises(CardError) as caught:
        load_classifier(model)
    assert caught.value.expected
    assert caught.value.remedy
    return caught.value


def test_shares_and_votes_of_raw_faces(model):
    shares, votes = model.run(some_faces(3))
    assert (shares.shape, shares.dtype) == ((3, 7), np.float32)
    assert (votes.shape, votes.dtype) == ((3, 8), np.float32)
    assert shares.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert votes.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-5)


def test_no_faces_give_no_rows(model):
    shares, votes = model.run(some_faces(0))
    assert (shares.shape, votes.shape) == ((0, 7), (0, 8))
    assert shares.dtype == votes.dtype == np.float32


def test_many_faces_give_what_each_gives_alone(model):
    faces = some_faces(2 * MAX_BATCH + 3)
    together = model.run(faces)
    alone = [model.run(face[None]) for face in faces]
    assert together.scores == pytest.approx(np.concatenate([each.scores for each in alone]), abs=1e-6)
    assert together.votes == pytest.approx(np.concatenate([each.votes for each in alone]), abs=1e-6)


def test_a_view_of_other_memory_is_read_right(model):
    wide = some_faces(4, side=16)
    view = wide[::2, 4:12, 4:12]
    assert np.array_equal(model.run(view).scores, model.run(view.copy()).scores)


def test_threads_share_a_model(model):
    batches = [some_faces(count) for count in range(1, 40)]
    expected = [model.run(batch).scores for batch in batches]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda batch: model.run(batch).scores, batches))
    assert all(np.array_equal(one, other) for one, other in zip(expected, found, strict=True))


@pytest.mark.parametrize("kind", ["float32", "uint8"])
@pytest.mark.parametrize("color", ["gray", "rgb"])
def test_graphs_take_float_or_uint8_gray_or_colour(kind, color):
    card = tiny_card(color=color)
    model = load_classifier(tiny_model(card, kind=kind))
    assert model.run(some_faces(2, channels=card.channels)).scores.shape == (2, 7)


def test_float_and_uint8_graphs_agree():
    models = [load_classifier(tiny_model(kind=kind)) for kind in ("float32", "uint8")]
    first, second = (model.run(some_faces(5)).scores for model in models)
    assert np.array_equal(first, second)


def test_a_graph_for_one_face_at_a_time_still_reads_many():
    one = load_classifier(tiny_model(batch=1))
    assert one.run(some_faces(5)).scores == pytest.approx(
        load_classifier(tiny_model()).run(some_faces(5)).scores, abs=1e-6
    )


def test_a_graph_that_stops_at_the_second_face_is_refused_when_it_is_loaded():
    raw = onnx.load_model_from_string(tiny_model())
    [flatten] = [node for node in raw.graph.node if node.op_type == "Flatten"]
    flatten.op_type = "Reshape"
    flatten.input.append("one")
    raw.graph.initializer.append(onnx.helper.make_tensor("one", onnx.TensorProto.INT64, [2], [1, 32]))
    with pytest.raises(ModelError, match="stopped while running"):
        load_classifier(raw.SerializeToString())


def test_own_labels_and_a_single_head():
    card = tiny_card(labels=("yes", "no", "perhaps"), vote_labels=())
    shares, votes = load_classifier(tiny_model(card)).run(some_faces(2))
    assert shares.shape == (2, 3)
    assert votes is None


@pytest.mark.parametrize(
    "faces",
    [
        some_faces(2).astype(np.float32),
        some_faces(2)[..., 0],
        some_faces(2)[0],
        some_faces(2, channels=3),
        some_faces(2, side=9),
    ],
    ids=["float", "no channel", "one face", "colour", "size"],
)
def test_faces_the_card_does_not_speak_of_are_refused(model, faces):
    for reader in (model, open_intermediate_outputs(tiny_model(), ["relu"])):
        with pytest.raises(ArrayError, match="raw pixels") as caught:
            reader.run(faces)
        assert caught.value.remedy


def test_card_and_graph_must_agree_on_the_labels():
    for wrong in (tiny_model(shares=6), tiny_model(votes=7)):
        assert "shape (2," in refusal(wrong).happened


def test_card_and_graph_must_agree_on_the_input():
    assert "(N, 9, 9, 1)" in refusal(tiny_model(side=9)).happened
    assert "(N, 8, 8, 3)" in refusal(tiny_model(channels=3)).happened
    assert "(4, 8, 8, 1)" in refusal(tiny_model(batch=4)).happened
    assert "int64" in refusal(tiny_model(kind="int64")).happened


def test_card_and_graph_must_agree_on_the_heads():
    assert "labels for votes" in refusal(tiny_model(votes=0)).happened
    assert "no labels for it" in refusal(tiny_model(tiny_card(vote_labels=()), votes=8)).happened
    foreign = onnx.load_model_from_string(tiny_graph(votes=0))
    foreign.graph.node[-1].output[0] = foreign.graph.output[0].name = "probabilities"
    assert "probabilities" in refusal(write_card(foreign.SerializeToString(), tiny_card(vote_labels=()))).happened


def test_shares_that_are_no_tensor_are_refused():
    foreign = onnx.load_model_from_string(tiny_graph(votes=0))
    foreign.graph.node[-1].output[0] = "tensor"
    foreign.graph.node.append(onnx.helper.make_node("SequenceConstruct", ["tensor"], ["shares"]))
    foreign.graph.output[0].CopyFrom(
        onnx.helper.make_tensor_sequence_value_info("shares", onnx.TensorProto.FLOAT, None)
    )
    error = refusal(write_card(foreign.SerializeToString(), tiny_card(vote_labels=())))
    assert "seq(tensor(float))" in error.happened


def test_logits_are_not_taken_for_shares():
    raw = onnx.load_model_from_string(tiny_model(tiny_card(vote_labels=()), softmax=False))
    bias = onnx.helper.make_tensor("bias", onnx.TensorProto.FLOAT, [7], [2.0] * 7)
    raw.graph.initializer.append(bias)
    raw.graph.node[-1].CopyFrom(onnx.helper.make_node("Add", ["shares.logits", "bias"], ["shares"]))
    assert "softmax" in refusal(raw.SerializeToString()).expected


def test_the_model_of_another_product_is_told_from_ours(tmp_path):
    path = tmp_path / "detector.onnx"
    path.write_bytes(tiny_graph())
    with pytest.raises(CardError, match="has no card") as caught:
        load_classifier(path)
    assert "write_card" in caught.value.remedy


def test_a_real_detector_file_is_told_from_ours(yunet_file):
    with pytest.raises(CardError, match="has no card"):
        load_classifier(yunet_file)


def test_a_cut_model_is_refused_silently(tmp_path, capfd):
    path = tmp_path / "cut.onnx"
    path.write_bytes(tiny_model()[:-300])
    with pytest.raises(ModelDamaged, match=r"cut\.onnx"):
        load_classifier(path)
    assert capfd.readouterr() == ("", "")


def test_what_the_runtime_refuses_is_one_sentence_and_nothing_is_printed(capfd):
    broken = tiny_model().replace(b"Softmax", b"Sofamax")
    badly_named = tiny_model().replace(b"Softmax", b"\xff\xfeftmax")
    for model in (broken, badly_named):
        with pytest.raises(ModelDamaged) as caught:
            load_classifier(model)
        assert "ONNX Runtime says" in caught.value.happened
        assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_threads_are_one_or_more():
    with pytest.raises(ModelError, match="0 threads"):
        load_classifier(tiny_model(), threads=0)


MODEL = tiny_model()


@settings(max_examples=60)
@given(st.integers(0, len(MODEL) - 1), st.binary(max_size=4), st.integers(0, 4))
def test_a_damaged_model_loads_or_is_refused(at, put, cut):
    with suppress(MienError):
        load_classifier(MODEL[:at] + put + MODEL[at + cut :], threads=1)


def test_inner_tensors_are_listed_in_order_with_what_makes_them():
    found = list_tensors(tiny_model())
    assert [tensor.name for tensor in found][:6] == ["pixels", "planes", "conv", "relu", "pool", "flat"]
    assert [tensor.op for tensor in found][:6] == ["Cast", "Transpose", "Conv", "Relu", "MaxPool", "Flatten"]
    assert found[2].node == "conv"
    assert [tensor.name for tensor in found if tensor.op == "Softmax"] == ["shares", "votes"]


def test_constants_are_no_inner_tensors():
    model = onnx.load_model_from_string(tiny_graph())
    constant = onnx.helper.make_node("Constant", [], ["number"], value_float=1.0)
    model.graph.node.insert(0, constant)
    assert "number" not in [tensor.name for tensor in list_tensors(model.SerializeToString())]


def test_inner_tensors_come_out_of_a_second_session(model):
    faces = some_faces(3)
    inside = open_intermediate_outputs(tiny_model(), ["pixels", "relu", "pool", "flat", "shares.logits", "shares"]).run(
        faces
    )
    assert np.array_equal(inside["pixels"], faces.astype(np.float32))
    assert inside["relu"].shape == (3, 2, 8, 8)
    assert inside["relu"].min() >= 0
    assert np.array_equal(inside["pool"], inside["relu"].reshape(3, 2, 4, 2, 4, 2).max(axis=(3, 5)))
    logits = inside["flat"] @ kernel("shares.kernel", (32, 7))
    assert inside["shares.logits"] == pytest.approx(logits, rel=1e-4, abs=1e-4)
    assert inside["shares"] == pytest.approx(model.run(faces).scores, abs=1e-6)


def test_the_reading_session_keeps_its_two_outputs_when_another_is_tapped():
    source = tiny_model()
    assert open_intermediate_outputs(source, ["conv", "conv"]).names == ("conv",)
    assert load_classifier(source).run(some_faces(1))._fields == ("scores", "votes")
    assert [tensor.name for tensor in list_tensors(source)].count("conv") == 1


def test_an_unknown_tensor_has_the_nearest_name():
    with pytest.raises(ModelError, match="Did you mean 'conv'"):
        open_intermediate_outputs(tiny_model(), ["cnov"])


def test_labels_come_from_the_card_and_not_from_the_file_name(tmp_path):
    path = tmp_path / "sad-happy.onnx"
    path.write_bytes(tiny_model())
    assert load_classifier(path).card.labels == EMOTIONS


def test_reading_a_card_opens_no_session(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(tiny_model())
    read = "import sys; from mien.models import ModelCard; ModelCard.read(sys.argv[1])"
    subprocess.run([sys.executable, "-c", f"{read}; assert 'onnxruntime' not in sys.modules", str(path)], check=True)


@pytest.mark.parametrize(
    "command", ["import mien.models.classifier", "import sys; from mien.__main__ import main; main(['doctor'])"]
)
def test_nobody_is_told_that_a_model_runs(command, tmp_path):
    """ONNX Runtime's reports to its makers begin with a file of their own, and go out unless it is told not to."""
    scratch, home = tmp_path / "scratch", tmp_path / "home"
    scratch.mkdir()
    own = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    variables = {**own, "TMPDIR": str(scratch), "HOME": str(home), "MIEN_HOME": str(home)}
    done = subprocess.run([sys.executable, "-c", command], env=variables, capture_output=True, check=False)
    assert b"Traceback" not in done.stderr
    assert [path.name for path in scratch.iterdir()] == []
