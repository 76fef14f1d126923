"""The shapes of DeepFace and fer, held against what those libraries return, written down by hand."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fakes import FakeClassifier, FakeDetector, fake_card
from mien import Engine, MienError, compat
from mien.compat import FER, CompatError, FaceNotDetected, analyze
from mien.labels import EMOTIONS
from mien.results import Box, Face, Point

EXAMPLES = Path(__file__).parents[1] / "examples"

#: One face as DeepFace 0.0.9x and later returns it for actions=["emotion"].
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

#: One face as fer's README shows it.
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


class Landmarked(FakeDetector):
    """Finds one face with landmarks, the person's right eye first."""

    def detect(self, pixels, *, min_face=None):
        self.asked.append(min_face)
        points = [Point(2.6, 3.2), Point(5.9, 3.1), Point(4, 5), Point(3, 6), Point(5, 6)]
        return (Face(Box(1, 1, 6, 6), 0.91777, tuple(points)),)


class Recorder(FakeClassifier):
    """Keeps the last faces it was shown."""

    def run(self, faces):
        self.seen = faces.copy()
        return super().run(faces)


@pytest.fixture
def engine():
    return Engine(FakeClassifier(), FakeDetector())


@pytest.fixture
def blind():
    return Engine(FakeClassifier(), FakeDetector(boxes=()))


def picture(value=0, height=20, width=16):
    return np.full((height, width, 3), value, np.uint8)


def shape(value):
    """The nesting of keys and kinds, without the numbers."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value), [shape(each) for each in value]
    return type(value)


def test_analyze_has_deepface_shape():
    found = analyze(picture(), engine=Engine(FakeClassifier(), Landmarked()))
    assert shape(found) == shape(DEEPFACE)
    assert [list(face) for face in found] == [list(face) for face in DEEPFACE]
    assert list(found[0]["emotion"]) == list(DEEPFACE[0]["emotion"]) == list(EMOTIONS)
    assert list(found[0]["region"]) == list(DEEPFACE[0]["region"])


def test_analyze_gives_percentages_that_make_a_hundred(engine):
    (face,) = analyze(picture(0), engine=engine)
    assert sum(face["emotion"].values()) == pytest.approx(100)
    assert face["dominant_emotion"] == "angry" == max(face["emotion"], key=face["emotion"].get)
    shares = engine.read(picture(0)).readings[0].emotions
    assert face["emotion"]["angry"] == pytest.approx(100 * shares["angry"], abs=1e-4)
    assert analyze(picture(255), engine=engine)[0]["dominant_emotion"] == "neutral"


def test_analyze_tells_eyes_from_the_persons_own_view():
    (face,) = analyze(picture(), engine=Engine(FakeClassifier(), Landmarked()))
    assert face["region"] == {"x": 1, "y": 1, "w": 6, "h": 6, "left_eye": (5, 3), "right_eye": (2, 3)}
    assert face["face_confidence"] == 0.92


def test_analyze_without_landmarks_has_no_eyes(engine):
    (face,) = analyze(picture(), engine=engine)
    assert face["region"] == {"x": 0, "y": 0, "w": 8, "h": 8, "left_eye": None, "right_eye": None}


def test_analyze_is_json(engine):
    found = analyze(picture(), engine=engine)
    assert json.loads(json.dumps(found)) == found


def test_no_face_is_a_value_error_by_default(blind):
    with pytest.raises(ValueError, match="No face was found") as caught:
        analyze(picture(), engine=blind)
    assert isinstance(caught.value, FaceNotDetected)
    assert isinstance(caught.value, MienError)
    assert "enforce_detection=False" in caught.value.remedy


def test_without_enforcement_the_picture_is_the_face(blind, engine):
    whole = {"x": 0, "y": 0, "w": 15, "h": 19, "left_eye": None, "right_eye": None}
    for found in (
        analyze(picture(255), enforce_detection=False, engine=blind),
        analyze(picture(255), detector_backend="skip", engine=engine),
    ):
        assert found[0]["region"] == whole
        assert found[0]["face_confidence"] == 0.0
        assert found[0]["dominant_emotion"] == "neutral"
        assert shape(found[0]["emotion"]) == shape(DEEPFACE[0]["emotion"])


def test_a_batch_is_a_list_of_lists(engine):
    one = analyze(picture(), engine=engine)
    assert analyze([picture(), picture()], engine=engine) == [one, one]
    assert analyze(np.stack([picture(), picture()]), engine=engine) == [one, one]
    assert analyze([], engine=engine) == []


def test_several_faces_are_several_dicts():
    two = Engine(FakeClassifier(), FakeDetector(boxes=(Box(0, 0, 8, 8), Box(8, 8, 6, 6))))
    assert [face["region"]["x"] for face in analyze(picture(), engine=two)] == [0, 8]
    assert [face["box"] for face in FER(engine=two).detect_emotions(picture())] == [[0, 0, 8, 8], [8, 8, 6, 6]]


def test_arrays_are_bgr_and_files_are_what_they_are(tmp_path):
    recorder = Recorder(fake_card(color="rgb"))
    engine = Engine(recorder, FakeDetector())
    bgr = picture()
    bgr[..., 0] = 255
    path = tmp_path / "blue.png"
    Image.fromarray(bgr[..., ::-1]).save(path)
    bgra = np.dstack([bgr, np.full(bgr.shape[:2], 255, np.uint8)])
    data = path.read_bytes()
    text = "data:image/png;base64," + base64.b64encode(data).decode()
    for source in (bgr, bgra, path, str(path), data, io.BytesIO(data), text, Image.open(path)):
        analyze(source, engine=engine)
        assert recorder.seen[0, 4, 4].tolist() == [0, 0, 255]
        FER(engine=engine).detect_emotions(source if not isinstance(source, io.BytesIO) else data)
        assert recorder.seen[0, 4, 4].tolist() == [0, 0, 255]


def test_a_gray_array_is_read(engine):
    assert analyze(picture()[..., 0], engine=engine) == analyze(picture(), engine=engine)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"actions": ["age"]}, "does not judge age"),
        ({"actions": ("emotion", "gender", "race")}, "does not judge gender"),
        ({"actions": "emotions"}, "Did you mean 'emotion'"),
        ({"actions": []}, "No action"),
        ({"anti_spoofing": True}, "real faces"),
        ({"detector_backend": "yunett"}, "Did you mean 'yunet'"),
        ({"img_path": "https://example.org/a.jpg"}, "does not fetch"),
        ({"img_path": "data:image/png;base64,???"}, "base64"),
        ({"img_path": "data:image/png;base64,AAAA"}, "another format"),
        ({"img_path": "no-such.jpg"}, "no-such.jpg"),
        ({"img_path": np.zeros((4, 4, 3))}, "uint8"),
        ({"img_path": np.zeros((4, 4, 2), np.uint8)}, "shape"),
    ],
)
def test_what_is_refused_is_a_value_error_in_three_beats(arguments, words, monkeypatch, engine):
    monkeypatch.setattr(compat, "_engines", dict.fromkeys(("haar", "auto", "none"), engine))
    with pytest.raises(ValueError, match=words) as caught:
        analyze(**{"img_path": picture(), **arguments})
    assert isinstance(caught.value, CompatError)
    assert caught.value.happened
    assert caught.value.expected
    assert caught.value.remedy


def test_actions_may_be_one_word(engine):
    assert analyze(picture(), "emotion", engine=engine) == analyze(picture(), ["emotion"], engine=engine)


def test_other_backends_warn_and_backends_of_ours_do_not(monkeypatch, engine):
    monkeypatch.setattr(compat, "_engines", {"auto": engine, "haar": engine})
    with pytest.warns(UserWarning, match="no retinaface") as caught:
        analyze(picture(), detector_backend="retinaface")
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="no yolov8n"):
        analyze(picture(), detector_backend="yolov8n")
    assert analyze(picture(), detector_backend="opencv") == analyze(picture(), detector_backend="haar")


def test_detect_emotions_has_fers_shape(engine):
    found = FER(engine=engine).detect_emotions(picture())
    assert shape(found) == shape(FER_RESULT)
    assert list(found[0]) == list(FER_RESULT[0])
    assert list(found[0]["emotions"]) == list(FER_RESULT[0]["emotions"]) == list(EMOTIONS)
    assert all(round(share, 2) == share for share in found[0]["emotions"].values())
    assert json.loads(json.dumps(found)) == found


def test_top_emotion_is_a_label_and_its_share(engine, blind):
    fer = FER(engine=engine)
    label, score = fer.top_emotion(picture(255))
    assert (label, score) == ("neutral", fer.detect_emotions(picture(255))[0]["emotions"]["neutral"])
    assert FER(engine=blind).top_emotion(picture()) == (None, None)
    assert FER(engine=blind).detect_emotions(picture()) == []


def test_rectangles_found_before_are_scored_as_they_are(engine):
    dark_and_light = np.concatenate([picture(0), picture(255)], axis=1)
    boxes = np.array([[18, 2, 10, 10], [2, 2, 10, 10]], dtype=np.int32)
    found = FER(engine=engine).detect_emotions(dark_and_light, boxes)
    assert [face["box"] for face in found] == boxes.tolist()
    assert [max(face["emotions"], key=face["emotions"].get) for face in found] == ["neutral", "angry"]
    assert FER(engine=engine).detect_emotions(picture(), []) == []


def test_fers_other_doors(engine):
    fer = FER(mtcnn=True, scale_factor=1.2, min_face_size=24, engine=engine)
    assert fer.find_faces(picture()) == [[0, 0, 8, 8]]
    assert fer.batch_detect_emotions([picture(), picture()]) == [fer.detect_emotions(picture())] * 2
    assert engine._detector.asked == [24] * 4
    for arguments in ({"tfserving": True}, {"cascade_file": "mine.xml"}):
        with pytest.raises(CompatError, match=next(iter(arguments))):
            FER(**arguments, engine=engine)


def test_own_labels_follow_the_card():
    engine = Engine(FakeClassifier(fake_card(labels=("yes", "no"), vote_labels=())), FakeDetector())
    assert list(analyze(picture(), engine=engine)[0]["emotion"]) == ["yes", "no"]
    assert FER(engine=engine).top_emotion(picture())[0] == "yes"


def test_the_shared_engine_is_loaded_once_and_reads_a_real_picture(monkeypatch):
    loads = []
    load = Engine.load
    monkeypatch.setattr(compat, "_engines", {})
    monkeypatch.setattr(Engine, "load", lambda **given: loads.append(given) or load(**given))
    found = [analyze(str(EXAMPLES / "portraits.jpg")) for _ in range(2)]
    assert loads == [{"detector": "haar"}]
    assert found[0] == found[1]
    assert len(found[0]) == 2
    assert shape(found[0][0]["emotion"]) == shape(DEEPFACE[0]["emotion"])


def test_a_file_opened_as_text_is_not_taken_for_a_path(engine, tmp_path):
    (tmp_path / "list.txt").write_text(str(EXAMPLES / "hopper.jpg"))
    with (tmp_path / "list.txt").open() as file, pytest.raises(ValueError, match="opened as text"):
        analyze(file, engine=engine)


@pytest.mark.parametrize("rectangle", [(1, 2, 3), (1, 2, 3, 4, 5), ("left", 0, 5, 5), (float("nan"), 0, 5, 5)])
def test_a_rectangle_that_is_none_is_refused(engine, rectangle):
    with pytest.raises(ValueError, match="is no face rectangle"):
        FER(engine=engine).detect_emotions(picture(), [rectangle])
