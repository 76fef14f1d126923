"""``mien explain``: which files, where, and what is said when something is wrong."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command import mien, picture, with_fakes
from fakes import FakeDetector
from mien import Engine, images
from mien.apps.cli.command_line import run

EXAMPLES = Path(__file__).parents[3] / "examples"

#: Of one face, with the model that comes with mien.
FILES = {
    "walkthrough.html", "explanation.json", "arrays.npz", "activations.png", "softmax.png", "where.png", "sum.png",
    "kernels.png", "reach.png", "costs.png", "pooling-pooled.png", "feature-maps-stem.png", "feature-maps-views.png",
    *(f"feature-maps-stage{k}.block2.png" for k in (1, 2, 3)),
}  # fmt: skip


@pytest.fixture(scope="module")
def engine():
    return Engine.load(detector="haar")


@pytest.fixture
def explain(engine):
    """The command with the real engine, in this process."""
    return lambda *words: run(["explain", *map(str, words)], lambda *, model, detector: engine)


@pytest.fixture(scope="module")
def done(engine, tmp_path_factory):
    """One face with everything."""
    out = tmp_path_factory.mktemp("done") / "out"
    words = [str(EXAMPLES / "hopper.jpg"), "-o", str(out), "--method", "cam,occlusion", "--method", "rise"]
    assert run(["explain", *words], lambda *, model, detector: engine) == 0
    return out


def names(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_one_face_has_every_file(done):
    assert names(done) == FILES
    for path in done.glob("*.png"):
        with Image.open(path) as image:
            assert image.format == "PNG"
            assert min(image.size) > 200


def test_the_json_is_what_predict_tells_and_more(done, engine):
    told = json.loads((done / "explanation.json").read_text("utf-8"))
    read = engine.read(EXAMPLES / "hopper.jpg")
    assert told["source"] == read.source
    assert told["size"] == list(read.size)
    [face] = told["faces"]
    assert face["scores"] == read.readings[0].to_dict()["scores"]
    assert [each["method"] for each in face["maps"]] == ["cam", "occlusion", "rise"]
    assert all(sum(each["regions"]["evidence"].values()) == pytest.approx(1, abs=0.001) for each in face["maps"])
    assert face["counterfactual_searched"]
    assert [each["name"] for each in face["layers"]] == list(engine.layers)


def test_the_arrays_are_those_of_the_engine(done, engine):
    with np.load(done / "arrays.npz") as arrays:
        [told] = engine.explain_image(EXAMPLES / "hopper.jpg", methods=("cam", "occlusion", "rise"), layers="all")
        assert set(arrays) == set(told.arrays())
        for name, values in told.arrays().items():
            assert np.allclose(arrays[name], values, atol=1e-6), name


def test_a_line_for_each_face_and_the_page_to_open(explain, tmp_path, capsys):
    assert explain(EXAMPLES / "portraits.jpg", "-o", tmp_path / "out", "--format", "html") == 0
    out, err = capsys.readouterr()
    first, second = out.splitlines()
    assert re.search(r"portraits\.jpg: face 1 looks \w+, \d+ %; \d+ % of the evidence for \w+ lies on the \w+$", first)
    assert "face 2 looks happy" in second
    assert err == f"Walkthrough: {tmp_path / 'out' / 'walkthrough.html'}\n"


def test_several_faces_get_a_folder_each_and_a_numbered_picture(explain, tmp_path):
    assert explain(EXAMPLES / "portraits.jpg", "-o", tmp_path / "out") == 0
    single = FILES - {"explanation.json"}
    expected = {"explanation.json", "faces.png", "walkthrough.html"}
    assert names(tmp_path / "out") == expected | {f"face-{k}/{name}" for k in (1, 2) for name in single}
    told = json.loads((tmp_path / "out" / "explanation.json").read_text("utf-8"))
    assert [face["number"] for face in told["faces"]] == [1, 2]
    boxes = [face["box"][2] * face["box"][3] for face in told["faces"]]
    assert boxes == sorted(boxes, reverse=True)


def test_one_face_of_several_keeps_its_number(explain, tmp_path, capsys):
    assert explain(EXAMPLES / "portraits.jpg", "-o", tmp_path / "out", "--face", 2, "--format", "html,json") == 0
    assert names(tmp_path / "out") == {"walkthrough.html", "explanation.json"}
    assert "face 2 looks happy" in capsys.readouterr().out
    assert "face 2" in (tmp_path / "out" / "walkthrough.html").read_text("utf-8")


@pytest.mark.parametrize("form", ["html", "png", "npz", "json"])
def test_a_format_alone_writes_nothing_else(explain, tmp_path, form):
    assert explain(EXAMPLES / "hopper.jpg", "-o", tmp_path / "out", "--format", form) == 0
    assert {Path(name).suffix for name in names(tmp_path / "out")} == {f".{form}"}


def test_layers_by_name_and_all_of_them(explain, engine, tmp_path):
    photo = EXAMPLES / "hopper.jpg"
    assert explain(photo, "-o", tmp_path / "two", "--layers", "stem.conv,pooled", "--format", "png") == 0
    drawn = {name for name in names(tmp_path / "two") if name.startswith(("feature-maps", "pooling"))}
    assert drawn == {"feature-maps-stem.conv.png", "pooling-pooled.png"}
    assert explain(photo, "-o", tmp_path / "all", "--layers", "all", "--format", "png,html") == 0
    drawn = {name for name in names(tmp_path / "all") if name.startswith(("feature-maps", "pooling"))}
    assert len(drawn) == len([name for name in engine.layers if "logits" not in name]) - 2
    assert (tmp_path / "all" / "walkthrough.html").stat().st_size < 3_000_000


def test_a_contrast_is_about_both(explain, tmp_path, capsys):
    words = ("--target", "happy", "--versus", "surprise", "--method", "cam,rise", "--seed", 3)
    assert explain(EXAMPLES / "astronaut.jpg", "-o", tmp_path / "out", *words) == 0
    [face] = json.loads((tmp_path / "out" / "explanation.json").read_text("utf-8"))["faces"]
    assert {(each["target"], each["versus"]) for each in face["maps"]} == {("happy", "surprise")}
    assert [each["seed"] for each in face["maps"]] == [None, 3]
    assert "evidence for happy" in capsys.readouterr().out


def test_several_pictures_get_a_folder_each(explain, tmp_path, capsys):
    photos = tmp_path / "photos"
    for name in ("a.jpg", "deep/b.jpg"):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(EXAMPLES / "hopper.jpg", photos / name)
    Image.open(EXAMPLES / "hopper.jpg").save(photos / "a.png")
    assert explain(photos, "-o", tmp_path / "out", "--format", "html") == 0
    assert names(tmp_path / "out") == {"a/walkthrough.html", "a-2/walkthrough.html", "deep/b/walkthrough.html"}
    assert explain(photos / "a.jpg", photos / "deep" / "b.jpg", "-o", tmp_path / "two", "--format", "json") == 0
    assert names(tmp_path / "two") == {"a/explanation.json", "b/explanation.json"}


def test_a_picture_that_fails_takes_no_other_with_it(explain, tmp_path, capsys):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    assert explain(broken, EXAMPLES / "hopper.jpg", "-o", tmp_path / "out", "--format", "json") == 1
    assert names(tmp_path / "out") == {"hopper/explanation.json"}
    assert "broken.jpg" in capsys.readouterr().err


def test_with_data_it_shows_what_the_channels_respond_to(explain, tmp_path):
    from mien.datasets import synthetic

    faces = tmp_path / "faces"
    synthetic.write_synthetic(faces, 70, folders=True)
    words = ("--data", faces, "--layers", "stem,pooled", "--format", "png")
    assert explain(EXAMPLES / "hopper.jpg", "-o", tmp_path / "out", *words) == 0
    assert {"exciting-stem.png", "exciting-pooled.png"} <= names(tmp_path / "out")
    assert explain(EXAMPLES / "hopper.jpg", "-o", tmp_path / "none", "--data", tmp_path / "missing") == 1
    assert not (tmp_path / "none").exists()


# Nobody there


@pytest.fixture
def nobody(tmp_path):
    return picture(tmp_path / "empty.png", 128, 64)


def test_no_face_leaves_the_picture_and_what_to_try(explain, nobody, tmp_path, capsys):
    assert explain(nobody, "-o", tmp_path / "out") == 0
    assert names(tmp_path / "out") == {"walkthrough.html", "explanation.json"}
    assert capsys.readouterr().out.endswith("empty.png: no face found\n")
    assert json.loads((tmp_path / "out" / "explanation.json").read_text("utf-8"))["faces"] == []


def test_require_face_tells_the_shell(explain, nobody, tmp_path, capsys):
    assert explain(nobody, "-o", tmp_path / "out", "--require-face") == 1
    assert "--require-face" in capsys.readouterr().err
    assert (tmp_path / "out" / "walkthrough.html").exists()


# What is refused, before anything is written


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--method", "cma"), "There is no method 'cma'. There are cam, occlusion, rise. Did you mean 'cam'?"),
        (("--method", "grad-cam"), "needs gradients"),
        (("--layers", "stm"), "Did you mean 'stem'?"),
        (("--layers", "nonsense"), "It has stem.conv, stem, "),
        (("--target", "hapy"), "Did you mean 'happy'?"),
        (("--versus", "bored"), "It knows angry, disgust"),
        (("--target", "happy", "--versus", "happy"), "against itself"),
        (("--format", "pdf"), "'pdf' is none of html, png, npz, json"),
        (("--face", "0"), "--face"),
    ],
)
def test_unknown_words_are_wrong_usage(explain, tmp_path, capsys, words, told):
    assert explain(EXAMPLES / "hopper.jpg", "-o", tmp_path / "out", *words) == 2
    err = capsys.readouterr().err
    assert told in err
    assert "mien explain --help" in err
    assert not (tmp_path / "out").exists()


def test_a_face_that_is_not_there(explain, tmp_path, capsys):
    assert explain(EXAMPLES / "hopper.jpg", "-o", tmp_path / "out", "--face", 7) == 1
    assert "There is no face number 7" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_not_empty_needs_force(explain, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    assert explain(EXAMPLES / "hopper.jpg", "-o", out, "--format", "json") == 1
    assert "add --force" in capsys.readouterr().err
    assert names(out) == {"notes.txt"}
    assert explain(EXAMPLES / "hopper.jpg", "-o", out, "--format", "json", "--force") == 0
    assert names(out) == {"notes.txt", "explanation.json"}


def test_a_file_where_the_folder_should_be(explain, tmp_path, capsys):
    (tmp_path / "out").write_text("a file")
    assert explain(EXAMPLES / "hopper.jpg", "-o", tmp_path / "out") == 1
    assert explain(EXAMPLES / "hopper.jpg", "-o", tmp_path / "out", "--force", "--format", "json") == 1
    assert "cannot be written" in capsys.readouterr().err
    assert (tmp_path / "out").read_text() == "a file"


def test_the_originals_are_no_place_for_it(explain, tmp_path, capsys):
    photo = shutil.copy(EXAMPLES / "hopper.jpg", tmp_path / "photo.jpg")
    assert explain(photo, "-o", tmp_path) == 2
    assert "the originals lie in" in capsys.readouterr().err


def test_an_address_has_to_be_allowed(explain, tmp_path, capsys):
    assert explain("https://example.org/a.jpg", "-o", tmp_path / "out") == 2
    assert "--allow-url" in capsys.readouterr().err


def test_nothing_half_written_stays(explain, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(images, "save", full)
    assert explain(EXAMPLES / "hopper.jpg", "-o", tmp_path / "out") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_tiny_crop_and_a_model_that_cannot_be_opened(tmp_path, capsys):
    photo = picture(tmp_path / "tiny.png", 60, 8)
    assert mien("explain", photo, "-o", tmp_path / "out", "--method", "cam") == 0
    assert names(tmp_path / "out") == {"walkthrough.html", "explanation.json", "arrays.npz", "softmax.png", "where.png"}
    told = json.loads((tmp_path / "out" / "explanation.json").read_text("utf-8"))["faces"][0]
    assert [each["method"] for each in told["maps"]] == ["occlusion"]
    assert any("graph" in note for note in told["notes"])


def test_many_faces_are_all_explained(tmp_path, capsys):
    from mien.results import Box

    boxes = tuple(Box(8 * k, 0, 8, 8) for k in range(12))
    photo = tmp_path / "crowd.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (16, 100, 3), np.uint8)).save(photo)
    load = with_fakes(detector=FakeDetector(boxes))
    assert mien("explain", photo, "-o", tmp_path / "out", "--format", "html", load=load) == 0
    assert len(capsys.readouterr().out.splitlines()) == 12
    assert len(names(tmp_path / "out")) == 13


def test_it_works_on_the_light_install(tmp_path):
    """Without matplotlib, Keras, pandas and scikit-learn: asked for, they are not there."""
    code = (
        "import sys\n"
        "heavy = ('matplotlib', 'keras', 'tensorflow', 'pandas', 'sklearn', 'onnx', 'torch')\n"
        "sys.modules.update(dict.fromkeys(heavy))\n"
        "from mien.apps.cli.command_line import run\n"
        f"sys.exit(run(['explain', {str(EXAMPLES / 'hopper.jpg')!r}, '-o', {str(tmp_path / 'out')!r},"
        " '--detector', 'haar']))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert names(tmp_path / "out") == FILES


def test_slow_methods_tell_how_far_they_are(explain, tmp_path, monkeypatch):
    from mien.apps.cli import explain as explaining

    told = []

    class Watched(explaining.ProgressBar):
        def update(self, done, total=None):
            told.append((done, total))

    monkeypatch.setattr(explaining, "Bar", Watched)
    words = ("--method", "cam,occlusion,rise", "--format", "json")
    assert explain(EXAMPLES / "portraits.jpg", "-o", tmp_path / "out", *words) == 0
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4), (1, 2), (2, 2)]
