"""Models that run: scores and votes of face crops, checked against the card, the same from any thread."""

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
from mien.models import IntermediateOutputs, list_tensors, load_classifier, write_card
from mien.models.classifier import MAX_BATCH
from tiny import tiny_card, tiny_graph, tiny_model, tiny_weight


def random_faces(count, side=8, channels=1):
    return np.random.default_rng(count).integers(0, 256, (count, side, side, channels), dtype=np.uint8)


@pytest.fixture(scope="module")
def model():
    return load_classifier(tiny_model(), threads=1)


def card_error(model) -> CardError:
    with pytest.raises(CardError) as caught:
        load_classifier(model)
    assert caught.value.expected
    assert caught.value.remedy
    return caught.value


def test_outputs_are_probabilities(model):
    scores, votes, label_scores = model.run(random_faces(3))
    assert label_scores is None
    assert (scores.shape, scores.dtype) == ((3, 7), np.float32)
    assert (votes.shape, votes.dtype) == ((3, 8), np.float32)
    assert scores.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert votes.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-5)


def test_no_faces_have_empty_outputs(model):
    scores, votes, _ = model.run(random_faces(0))
    assert (scores.shape, votes.shape) == ((0, 7), (0, 8))
    assert scores.dtype == votes.dtype == np.float32


def test_batches_have_the_outputs_of_single_faces(model):
    faces = random_faces(2 * MAX_BATCH + 3)
    together = model.run(faces)
    single = [model.run(face[None]) for face in faces]
    assert together.scores == pytest.approx(np.concatenate([outputs.scores for outputs in single]), abs=1e-6)
    assert together.votes == pytest.approx(np.concatenate([outputs.votes for outputs in single]), abs=1e-6)


def test_strided_views_have_the_outputs_of_their_copies(model):
    view = random_faces(4, side=16)[::2, 4:12, 4:12]
    assert np.array_equal(model.run(view).scores, model.run(view.copy()).scores)


def test_threads_share_a_model(model):
    batches = [random_faces(count) for count in range(1, 40)]
    expected = [model.run(batch).scores for batch in batches]
    with ThreadPoolExecutor(8) as pool:
        actual = list(pool.map(lambda batch: model.run(batch).scores, batches))
    assert all(map(np.array_equal, expected, actual))


@pytest.mark.parametrize("kind", ["float32", "uint8"])
@pytest.mark.parametrize("color", ["gray", "rgb"])
def test_input_of_the_graph_is_float_or_uint8_gray_or_colour(kind, color):
    card = tiny_card(color=color)
    model = load_classifier(tiny_model(card, kind=kind))
    assert model.run(random_faces(2, channels=card.channels)).scores.shape == (2, 7)


def test_float_and_uint8_graphs_have_the_same_outputs():
    first, second = (load_classifier(tiny_model(kind=kind)).run(random_faces(5)) for kind in ("float32", "uint8"))
    assert np.array_equal(first.scores, second.scores)


def test_graph_for_one_face_at_a_time_reads_several():
    one_at_a_time, batched = load_classifier(tiny_model(batch=1)), load_classifier(tiny_model())
    faces = random_faces(5)
    assert one_at_a_time.run(faces).scores == pytest.approx(batched.run(faces).scores, abs=1e-6)


def test_graph_that_fails_for_two_faces_is_an_error_when_it_is_loaded():
    proto = onnx.load_model_from_string(tiny_model())
    [flatten] = [node for node in proto.graph.node if node.op_type == "Flatten"]
    flatten.op_type = "Reshape"
    flatten.input.append("one")
    proto.graph.initializer.append(onnx.helper.make_tensor("one", onnx.TensorProto.INT64, [2], [1, 32]))
    with pytest.raises(ModelError, match="failed while running"):
        load_classifier(proto.SerializeToString())


def test_model_may_have_other_labels_and_no_votes():
    card = tiny_card(labels=("yes", "no", "perhaps"), vote_labels=())
    scores, votes, _ = load_classifier(tiny_model(card)).run(random_faces(2))
    assert scores.shape == (2, 3)
    assert votes is None


@pytest.mark.parametrize(
    "faces",
    [
        random_faces(2).astype(np.float32),
        random_faces(2)[..., 0],
        random_faces(2)[0],
        random_faces(2, channels=3),
        random_faces(2, side=9),
    ],
    ids=["float", "no channel", "one face", "colour", "size"],
)
def test_faces_that_do_not_fit_the_card_are_an_array_error(model, faces):
    for session in (model, IntermediateOutputs(tiny_model(), ["relu"])):
        with pytest.raises(ArrayError, match="raw pixels") as caught:
            session.run(faces)
        assert caught.value.remedy


def test_number_of_labels_must_agree_with_the_graph():
    for wrong in (tiny_model(scores=6), tiny_model(votes=7)):
        assert "shape (2," in card_error(wrong).happened


def test_input_of_the_graph_must_agree_with_the_card():
    assert "(N, 9, 9, 1)" in card_error(tiny_model(side=9)).happened
    assert "(N, 8, 8, 3)" in card_error(tiny_model(channels=3)).happened
    assert "(4, 8, 8, 1)" in card_error(tiny_model(batch=4)).happened
    assert "int64" in card_error(tiny_model(kind="int64")).happened


def test_outputs_of_the_graph_must_agree_with_the_card():
    assert "labels for votes" in card_error(tiny_model(votes=0)).happened
    assert "no labels for it" in card_error(tiny_model(tiny_card(vote_labels=()), votes=8)).happened
    proto = onnx.load_model_from_string(tiny_graph(votes=0))
    proto.graph.node[-1].output[0] = proto.graph.output[0].name = "probabilities"
    assert "probabilities" in card_error(write_card(proto.SerializeToString(), tiny_card(vote_labels=()))).happened


def test_output_that_is_no_tensor_is_a_card_error():
    proto = onnx.load_model_from_string(tiny_graph(votes=0))
    name = proto.graph.output[0].name
    proto.graph.node[-1].output[0] = "tensor"
    proto.graph.node.append(onnx.helper.make_node("SequenceConstruct", ["tensor"], [name]))
    sequence = onnx.helper.make_tensor_sequence_value_info(name, onnx.TensorProto.FLOAT, None)
    proto.graph.output[0].CopyFrom(sequence)
    error = card_error(write_card(proto.SerializeToString(), tiny_card(vote_labels=())))
    assert "seq(tensor(float))" in error.happened


def test_output_without_softmax_is_a_card_error():
    proto = onnx.load_model_from_string(tiny_model(tiny_card(vote_labels=()), softmax=False))
    proto.graph.initializer.append(onnx.helper.make_tensor("bias", onnx.TensorProto.FLOAT, [7], [2.0] * 7))
    logits, name = proto.graph.node[-1].input[0], proto.graph.output[0].name
    proto.graph.node[-1].CopyFrom(onnx.helper.make_node("Add", [logits, "bias"], [name]))
    assert "softmax" in card_error(proto.SerializeToString()).expected


def test_onnx_file_without_a_card_is_a_card_error(tmp_path):
    path = tmp_path / "detector.onnx"
    path.write_bytes(tiny_graph())
    with pytest.raises(CardError, match="has no card") as caught:
        load_classifier(path)
    assert "write_card" in caught.value.remedy


def test_detector_file_is_a_card_error(yunet_file):
    with pytest.raises(CardError, match="has no card"):
        load_classifier(yunet_file)


def test_truncated_model_is_damaged_and_nothing_is_printed(tmp_path, capfd):
    path = tmp_path / "truncated.onnx"
    path.write_bytes(tiny_model()[:-300])
    with pytest.raises(ModelDamaged, match=r"truncated\.onnx"):
        load_classifier(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("operation", [b"Sofamax", b"\xff\xfeftmax"], ids=["unknown", "not text"])
def test_error_of_the_runtime_is_one_line_and_nothing_is_printed(operation, capfd):
    with pytest.raises(ModelDamaged) as caught:
        load_classifier(tiny_model().replace(b"Softmax", operation))
    assert "ONNX Runtime says" in caught.value.happened
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_number_of_threads_must_be_positive():
    with pytest.raises(ModelError, match="threads is 0"):
        load_classifier(tiny_model(), threads=0)


MODEL = tiny_model()


@settings(max_examples=60)
@given(st.integers(0, len(MODEL) - 1), st.binary(max_size=4), st.integers(0, 4))
def test_damaged_models_raise_only_mien_errors(start, inserted, removed):
    with suppress(MienError):
        load_classifier(MODEL[:start] + inserted + MODEL[start + removed :], threads=1)


def test_tensors_are_listed_in_the_order_of_computation():
    tensors = list_tensors(tiny_model())
    assert [tensor.name for tensor in tensors][:6] == ["pixels", "planes", "conv", "relu", "pool", "flat"]
    assert [tensor.op for tensor in tensors][:6] == ["Cast", "Transpose", "Conv", "Relu", "MaxPool", "Flatten"]
    assert tensors[2].node == "conv"
    assert [tensor.op for tensor in tensors].count("Softmax") == 2


def test_constants_are_not_listed():
    proto = onnx.load_model_from_string(tiny_graph())
    constant = onnx.helper.make_node("Constant", [], ["number"], value_float=1.0)
    proto.graph.node.insert(0, constant)
    assert "number" not in [tensor.name for tensor in list_tensors(proto.SerializeToString())]


def test_intermediate_outputs_have_the_values_of_the_graph(model):
    faces = random_faces(3)
    softmax = next(tensor.name for tensor in list_tensors(tiny_model()) if tensor.op == "Softmax")
    names = ["pixels", "relu", "pool", "flat", f"{softmax}.logits", softmax]
    tensors = IntermediateOutputs(tiny_model(), names).run(faces)
    assert np.array_equal(tensors["pixels"], faces.astype(np.float32))
    assert tensors["relu"].shape == (3, 2, 8, 8)
    assert tensors["relu"].min() >= 0
    assert np.array_equal(tensors["pool"], tensors["relu"].reshape(3, 2, 4, 2, 4, 2).max(axis=(3, 5)))
    logits = tensors["flat"] @ tiny_weight(f"{softmax}.kernel", (32, 7))
    assert tensors[f"{softmax}.logits"] == pytest.approx(logits, rel=1e-4, abs=1e-4)
    assert tensors[softmax] == pytest.approx(model.run(faces).scores, abs=1e-6)


def test_intermediate_outputs_do_not_change_the_model():
    source = tiny_model()
    assert IntermediateOutputs(source, ["conv", "conv"]).names == ("conv",)
    assert load_classifier(source).run(random_faces(1))._fields == ("scores", "votes", "label_scores")
    assert [tensor.name for tensor in list_tensors(source)].count("conv") == 1


def test_error_for_an_unknown_tensor_suggests_a_similar_name():
    with pytest.raises(ModelError, match="Did you mean 'conv'"):
        IntermediateOutputs(tiny_model(), ["cnov"])


def test_labels_come_from_the_card_and_not_from_the_file_name(tmp_path):
    path = tmp_path / "sad-happy.onnx"
    path.write_bytes(tiny_model())
    assert load_classifier(path).card.labels == EMOTIONS


@pytest.mark.full
def test_reading_a_card_does_not_import_the_runtime(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(tiny_model())
    code = "import sys; from mien.models import ModelCard; ModelCard.read(sys.argv[1])"
    subprocess.run([sys.executable, "-c", f"{code}; assert 'onnxruntime' not in sys.modules", str(path)], check=True)


@pytest.mark.full
@pytest.mark.parametrize(
    "code", ["import mien.models.classifier", "import sys; from mien.__main__ import main; main(['doctor'])"]
)
def test_telemetry_of_the_runtime_is_off(code, tmp_path):
    """The telemetry of ONNX Runtime would write a file into the folder for temporary files."""
    temporary, home = tmp_path / "temporary", tmp_path / "home"
    temporary.mkdir()
    variables = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    variables |= {"TMPDIR": str(temporary), "HOME": str(home), "MIEN_HOME": str(home)}
    process = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, check=False)
    assert b"Traceback" not in process.stderr
    assert [path.name for path in temporary.iterdir()] == []
