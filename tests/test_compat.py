"""The interfaces of DeepFace and fer, compared with results of those libraries."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fakes import FakeClassifier, FakeDetector, fake_card
from mien import Engine, MienError
from mien.compat import FER, CompatError, FaceNotDetected, analyze, shared_engine
from mien.labels import EMOTIONS
from mien.results import Box, Face, Point

EXAMPLES = Path(__file__).parents[1] / "examples"

#: The result of DeepFace 0.0.9x and later for one face and actions=["emotion"].
DEEPFACE = [
    {
        "emotion": {
            "angry": 0.0123,
            "disgust": 1.5e-7,
            "fear": 0.0045,
            "happy": 98.2301,
            "sad": 0.0211,
            "surprise": 0.1034,
            "neutral": 1.6286,
        },
        "dominant_emotion": "happy",
        "region": {"x": 95, "y": 41, "w": 118, "h": 118, "left_eye": (178, 85), "right_eye": (130, 88)},
        "face_confidence": 0.92,
    }
]

#: The result for one face in fer's README.
FER_RESULT = [
    {
        "box": [277, 90, 48, 63],
        "emotions": {
            "angry": 0.02,
            "disgust": 0.0,
            "fear": 0.05,
            "happy": 0.16,
            "sad": 0.27,
            "surprise": 0.41,
            "neutral": 0.09,
        },
    }
]


class LandmarkDetector(FakeDetector):
    """Detects one face with landmarks, the person's right eye first."""

    def detect(self, pixels, *, min_face=None):
        self.min_faces.append(min_face)
        points = [Point(2.6, 3.2), Point(5.9, 3.1), Point(4, 5), Point(3, 6), Point(5, 6)]
        return (Face(Box(1, 1, 6, 6), 0.91777, tuple(points)),)


class RecordingClassifier(FakeClassifier):
    """Stores the last faces that it classified."""

    def run(self, faces):
        self.faces = faces.copy()
        return super().run(faces)


@pytest.fixture
def engine():
    return Engine(FakeClassifier(), FakeDetector())


@pytest.fixture
def faceless():
    return Engine(FakeClassifier(), FakeDetector(boxes=()))


def make_image(value=0, height=20, width=16):
    return np.full((height, width, 3), value, np.uint8)


def shape(value):
    """The nesting of keys and types, without the numbers."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value), [shape(item) for item in value]
    return type(value)


def test_analyze_has_the_shape_of_deepface():
    result = analyze(make_image(), engine=Engine(FakeClassifier(), LandmarkDetector()))
    assert shape(result) == shape(DEEPFACE)
    assert [list(face) for face in result] == [list(face) for face in DEEPFACE]
    assert list(result[0]["emotion"]) == list(DEEPFACE[0]["emotion"]) == list(EMOTIONS)
    assert list(result[0]["region"]) == list(DEEPFACE[0]["region"])


def test_percentages_of_analyze_sum_to_100(engine):
    (face,) = analyze(make_image(0), engine=engine)
    assert sum(face["emotion"].values()) == pytest.approx(100)
    assert face["dominant_emotion"] == "angry" == max(face["emotion"], key=face["emotion"].get)
    emotions = engine.read(make_image(0)).readings[0].emotions
    assert face["emotion"]["angry"] == pytest.approx(100 * emotions["angry"], abs=1e-4)
    assert analyze(make_image(255), engine=engine)[0]["dominant_emotion"] == "neutral"


def test_eyes_are_named_as_the_person_would():
    (face,) = analyze(make_image(), engine=Engine(FakeClassifier(), LandmarkDetector()))
    assert face["region"] == {"x": 1, "y": 1, "w": 6, "h": 6, "left_eye": (5, 3), "right_eye": (2, 3)}
    assert face["face_confidence"] == 0.92


def test_eyes_are_none_without_landmarks(engine):
    (face,) = analyze(make_image(), engine=engine)
    assert face["region"] == {"x": 0, "y": 0, "w": 8, "h": 8, "left_eye": None, "right_eye": None}


def test_result_of_analyze_is_json(engine):
    result = analyze(make_image(), engine=engine)
    assert json.loads(json.dumps(result)) == result


def test_image_without_a_face_is_a_value_error(faceless):
    with pytest.raises(ValueError, match="No face was found") as caught:
        analyze(make_image(), engine=faceless)
    assert isinstance(caught.value, FaceNotDetected)
    assert isinstance(caught.value, MienError)
    assert "enforce_detection=False" in caught.value.remedy


def test_whole_image_is_the_face_without_enforcement(faceless, engine):
    whole = {"x": 0, "y": 0, "w": 15, "h": 19, "left_eye": None, "right_eye": None}
    for result in (
        analyze(make_image(255), enforce_detection=False, engine=faceless),
        analyze(make_image(255), detector_backend="skip", engine=engine),
    ):
        assert result[0]["region"] == whole
        assert result[0]["face_confidence"] == 0.0
        assert result[0]["dominant_emotion"] == "neutral"
        assert shape(result[0]["emotion"]) == shape(DEEPFACE[0]["emotion"])


def test_batch_has_a_list_for_each_image(engine):
    one = analyze(make_image(), engine=engine)
    assert analyze([make_image(), make_image()], engine=engine) == [one, one]
    assert analyze(np.stack([make_image(), make_image()]), engine=engine) == [one, one]
    assert analyze([], engine=engine) == []


def test_each_face_has_a_dict():
    two = Engine(FakeClassifier(), FakeDetector(boxes=(Box(0, 0, 8, 8), Box(8, 8, 6, 6))))
    assert [face["region"]["x"] for face in analyze(make_image(), engine=two)] == [0, 8]
    assert [face["box"] for face in FER(engine=two).detect_emotions(make_image())] == [[0, 0, 8, 8], [8, 8, 6, 6]]


def test_arrays_are_bgr_and_files_are_not(tmp_path):
    classifier = RecordingClassifier(fake_card(color="rgb"))
    engine = Engine(classifier, FakeDetector())
    bgr = make_image()
    bgr[..., 0] = 255
    path = tmp_path / "blue.png"
    Image.fromarray(bgr[..., ::-1]).save(path)
    bgra = np.dstack([bgr, np.full(bgr.shape[:2], 255, np.uint8)])
    data = path.read_bytes()
    text = "data:image/png;base64," + base64.b64encode(data).decode()
    for source in (bgr, bgra, path, str(path), data, io.BytesIO(data), text, Image.open(path)):
        analyze(source, engine=engine)
        assert classifier.faces[0, 4, 4].tolist() == [0, 0, 255]
        FER(engine=engine).detect_emotions(source if not isinstance(source, io.BytesIO) else data)
        assert classifier.faces[0, 4, 4].tolist() == [0, 0, 255]


def test_gray_array_is_read(engine):
    assert analyze(make_image()[..., 0], engine=engine) == analyze(make_image(), engine=engine)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"actions": ["age"]}, "does not predict age"),
        ({"actions": ("emotion", "gender", "race")}, "does not predict gender"),
        ({"actions": "emotions"}, "Did you mean 'emotion'"),
        ({"actions": []}, "no action"),
        ({"anti_spoofing": True}, "real faces"),
        ({"detector_backend": "yunett"}, "Did you mean 'yunet'"),
        ({"img_path": "https://example.org/a.jpg"}, "does not download"),
        ({"img_path": "data:image/png;base64,???"}, "base64"),
        ({"img_path": "data:image/png;base64,AAAA"}, "another format"),
        ({"img_path": "no-such.jpg"}, "no-such.jpg"),
        ({"img_path": np.zeros((4, 4, 3))}, "uint8"),
        ({"img_path": np.zeros((4, 4, 2), np.uint8)}, "shape"),
    ],
)
def test_unsupported_requests_are_value_errors_in_three_parts(arguments, message, engine):
    if "detector_backend" not in arguments:
        arguments = {**arguments, "engine": engine}
    with pytest.raises(ValueError, match=message) as caught:
        analyze(**{"img_path": make_image(), **arguments})
    assert isinstance(caught.value, CompatError)
    assert caught.value.happened
    assert caught.value.expected
    assert caught.value.remedy


def test_actions_may_be_one_text(engine):
    assert analyze(make_image(), "emotion", engine=engine) == analyze(make_image(), ["emotion"], engine=engine)


def test_backends_that_mien_does_not_have_warn():
    portraits = str(EXAMPLES / "portraits.jpg")
    with pytest.warns(UserWarning, match="no retinaface") as caught:
        analyze(portraits, detector_backend="retinaface")
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="no yolov8n"):
        analyze(portraits, detector_backend="yolov8n")
    assert analyze(portraits, detector_backend="opencv") == analyze(portraits, detector_backend="haar")


def test_detect_emotions_has_the_shape_of_fer(engine):
    result = FER(engine=engine).detect_emotions(make_image())
    assert shape(result) == shape(FER_RESULT)
    assert list(result[0]) == list(FER_RESULT[0])
    assert list(result[0]["emotions"]) == list(FER_RESULT[0]["emotions"]) == list(EMOTIONS)
    assert all(round(score, 2) == score for score in result[0]["emotions"].values())
    assert json.loads(json.dumps(result)) == result


def test_top_emotion_is_a_label_and_its_probability(engine, faceless):
    fer = FER(engine=engine)
    label, score = fer.top_emotion(make_image(255))
    assert (label, score) == ("neutral", fer.detect_emotions(make_image(255))[0]["emotions"]["neutral"])
    assert FER(engine=faceless).top_emotion(make_image()) == (None, None)
    assert FER(engine=faceless).detect_emotions(make_image()) == []


def test_rectangles_are_scored_without_detection(engine):
    dark_and_light = np.concatenate([make_image(0), make_image(255)], axis=1)
    boxes = np.array([[18, 2, 10, 10], [2, 2, 10, 10]], dtype=np.int32)
    result = FER(engine=engine).detect_emotions(dark_and_light, boxes)
    assert [face["box"] for face in result] == boxes.tolist()
    assert [max(face["emotions"], key=face["emotions"].get) for face in result] == ["neutral", "angry"]
    assert FER(engine=engine).detect_emotions(make_image(), []) == []


def test_other_methods_of_fer():
    detector = FakeDetector()
    engine = Engine(FakeClassifier(), detector)
    fer = FER(mtcnn=True, scale_factor=1.2, min_face_size=24, engine=engine)
    assert fer.find_faces(make_image()) == [[0, 0, 8, 8]]
    assert fer.batch_detect_emotions([make_image(), make_image()]) == [fer.detect_emotions(make_image())] * 2
    assert detector.min_faces == [24] * 4
    for arguments in ({"tfserving": True}, {"cascade_file": "mine.xml"}):
        with pytest.raises(CompatError, match=next(iter(arguments))):
            FER(**arguments, engine=engine)


def test_labels_are_those_of_the_card():
    engine = Engine(FakeClassifier(fake_card(labels=("yes", "no"), vote_labels=())), FakeDetector())
    assert list(analyze(make_image(), engine=engine)[0]["emotion"]) == ["yes", "no"]
    assert FER(engine=engine).top_emotion(make_image())[0] == "yes"


def test_engine_is_loaded_once_and_shared():
    assert shared_engine("haar") is shared_engine("haar")
    first, second = (analyze(str(EXAMPLES / "portraits.jpg")) for _ in range(2))
    assert first == second
    assert len(first) == 2
    assert shape(first[0]["emotion"]) == shape(DEEPFACE[0]["emotion"])


def test_file_opened_as_text_is_an_error(engine, tmp_path):
    (tmp_path / "list.txt").write_text(str(EXAMPLES / "hopper.jpg"))
    with (tmp_path / "list.txt").open() as file, pytest.raises(ValueError, match="opened as text"):
        analyze(file, engine=engine)


@pytest.mark.parametrize("rectangle", [(1, 2, 3), (1, 2, 3, 4, 5), ("left", 0, 5, 5), (float("nan"), 0, 5, 5)])
def test_invalid_rectangle_is_an_error(engine, rectangle):
    with pytest.raises(ValueError, match="is no face rectangle"):
        FER(engine=engine).detect_emotions(make_image(), [rectangle])
