"""``mien explain``: the files it writes, its output, and the errors for wrong options."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command import mien, with_fakes, write_image
from fakes import FakeDetector
from mien import Engine
from mien.apps.cli.command_line import run
from mien.apps.cli.explain import ExplainOptions
from mien.apps.cli.explain import run as run_explain
from mien.apps.cli.sources import ImageSources
from mien.results import Box

EXAMPLES = Path(__file__).parents[3] / "examples"
HOPPER, PORTRAITS = EXAMPLES / "hopper.jpg", EXAMPLES / "portraits.jpg"

#: The files of one face with the embedded model.
FILES = {
    "walkthrough.html", "explanation.json", "arrays.npz", "activations.png", "softmax.png", "evidence.png",
    "contributions.png", "kernels.png", "receptive-fields.png", "costs.png", "pooling-pooled.png",
    "feature-maps-stem.png", "feature-maps-views.png", *(f"feature-maps-stage{k}.block2.png" for k in (1, 2, 3)),
}  # fmt: skip


@pytest.fixture(scope="module")
def engine():
    return Engine.load(detector="haar")


@pytest.fixture(scope="module")
def explain(engine):
    """Runs the command with the embedded model in this process, and returns its exit status."""
    return lambda *arguments: run(
        ["explain", *map(str, arguments)], lambda *, model, detector, prior="training": engine
    )


@pytest.fixture(scope="module")
def folder(explain, tmp_path_factory):
    """The files of one face with all methods."""
    out = tmp_path_factory.mktemp("explained") / "out"
    assert explain(HOPPER, "-o", out, "--method", "cam,occlusion", "--method", "rise") == 0
    return out


@pytest.fixture(scope="module")
def two_faces(explain, tmp_path_factory):
    """The files of an image with two faces."""
    out = tmp_path_factory.mktemp("explained") / "out"
    assert explain(PORTRAITS, "-o", out) == 0
    return out


@pytest.fixture
def empty_image(tmp_path):
    return write_image(tmp_path / "empty.png", 128, 64)


def list_files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def read_json(folder):
    return json.loads((folder / "explanation.json").read_text("utf-8"))


def test_one_face_has_all_files(folder):
    assert list_files(folder) == FILES
    for path in folder.glob("*.png"):
        with Image.open(path) as image:
            assert image.format == "PNG"
            assert min(image.size) > 200


def test_json_has_the_values_of_predict_and_of_the_explanation(folder, engine):
    values = read_json(folder)
    result = engine.read(HOPPER)
    assert (values["source"], values["size"]) == (result.source, list(result.size))
    [face] = values["faces"]
    assert face["scores"] == result.readings[0].to_dict()["scores"]
    assert [each["method"] for each in face["maps"]] == ["cam", "occlusion", "rise"]
    assert all(sum(each["regions"]["evidence"].values()) == pytest.approx(1, abs=0.001) for each in face["maps"])
    assert face["counterfactual_searched"]
    assert [each["name"] for each in face["layers"]] == list(engine.layers)


def test_arrays_are_those_of_the_engine(folder, engine):
    [explanation] = engine.explain_image(HOPPER, methods=("cam", "occlusion", "rise"), layers="all")
    with np.load(folder / "arrays.npz") as arrays:
        assert set(arrays) == set(explanation.arrays())
        for name, values in explanation.arrays().items():
            assert np.allclose(arrays[name], values, atol=1e-6), name


def test_output_has_a_line_for_each_face_and_the_path_of_the_page(explain, tmp_path, capsys):
    assert explain(PORTRAITS, "-o", tmp_path / "out", "--format", "html") == 0
    out, err = capsys.readouterr()
    first, second = out.splitlines()
    assert re.search(r"portraits\.jpg: face 1 looks \w+, \d+\s%; \d+\s% of the evidence for \w+ is at the \w+$", first)
    assert "face 2 looks happy" in second
    assert err == f"Walkthrough: {tmp_path / 'out' / 'walkthrough.html'}\n"


def test_several_faces_get_a_folder_each_and_an_image_with_numbers(two_faces):
    files_of_face = FILES - {"explanation.json"}
    common = {"explanation.json", "faces.png", "walkthrough.html"}
    assert list_files(two_faces) == common | {f"face-{k}/{name}" for k in (1, 2) for name in files_of_face}
    faces = read_json(two_faces)["faces"]
    assert [face["number"] for face in faces] == [1, 2]
    areas = [face["box"][2] * face["box"][3] for face in faces]
    assert areas == sorted(areas, reverse=True)


def test_selected_face_keeps_its_number(explain, tmp_path, capsys):
    assert explain(PORTRAITS, "-o", tmp_path / "out", "--face", 2, "--format", "html,json") == 0
    assert list_files(tmp_path / "out") == {"walkthrough.html", "explanation.json"}
    assert "face 2 looks happy" in capsys.readouterr().out
    assert "face 2" in (tmp_path / "out" / "walkthrough.html").read_text("utf-8")


@pytest.mark.parametrize("suffix", ["html", "png", "npz", "json"])
def test_single_format_writes_only_files_of_that_format(explain, tmp_path, suffix):
    assert explain(HOPPER, "-o", tmp_path / "out", "--format", suffix, "--layers", "pooled") == 0
    assert {Path(name).suffix for name in list_files(tmp_path / "out")} == {f".{suffix}"}


def test_layers_by_name_get_figures(explain, tmp_path):
    assert explain(HOPPER, "-o", tmp_path / "out", "--layers", "stem.conv,pooled", "--format", "png") == 0
    figures = {name for name in list_files(tmp_path / "out") if name.startswith(("feature-maps", "pooling"))}
    assert figures == {"feature-maps-stem.conv.png", "pooling-pooled.png"}


@pytest.mark.full
def test_all_layers_get_figures_and_the_page_stays_small(explain, engine, tmp_path):
    assert explain(HOPPER, "-o", tmp_path / "out", "--layers", "all", "--format", "png,html") == 0
    figures = {name for name in list_files(tmp_path / "out") if name.startswith(("feature-maps", "pooling"))}
    assert len(figures) == len([name for name in engine.layers if "logits" not in name]) - 3
    assert (tmp_path / "out" / "walkthrough.html").stat().st_size < 3_000_000


def test_comparison_names_both_expressions(explain, tmp_path, capsys):
    arguments = ("--target", "happy", "--versus", "surprise", "--method", "cam,rise", "--seed", 3, "--format", "json")
    assert explain(EXAMPLES / "astronaut.jpg", "-o", tmp_path / "out", *arguments) == 0
    [face] = read_json(tmp_path / "out")["faces"]
    assert {(each["target"], each["versus"]) for each in face["maps"]} == {("happy", "surprise")}
    assert [each["seed"] for each in face["maps"]] == [None, 3]
    assert "evidence for happy" in capsys.readouterr().out


def test_several_images_get_a_folder_each(explain, tmp_path):
    photos = tmp_path / "photos"
    for name in ("a.jpg", "deep/b.jpg"):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(HOPPER, photos / name)
    Image.open(HOPPER).save(photos / "a.png")
    assert explain(photos, "-o", tmp_path / "out", "--format", "json") == 0
    assert list_files(tmp_path / "out") == {f"{name}/explanation.json" for name in ("a", "a-2", str(Path("deep", "b")))}
    assert explain(photos / "a.jpg", photos / "deep" / "b.jpg", "-o", tmp_path / "two", "--format", "json") == 0
    assert list_files(tmp_path / "two") == {"a/explanation.json", "b/explanation.json"}


def test_broken_image_does_not_stop_the_others(explain, tmp_path, capsys):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not an image")
    assert explain(broken, HOPPER, "-o", tmp_path / "out", "--format", "json") == 1
    assert list_files(tmp_path / "out") == {"hopper/explanation.json"}
    assert "broken.jpg" in capsys.readouterr().err


@pytest.mark.full
def test_data_adds_the_top_activating_faces(explain, tmp_path):
    from mien.datasets import synthetic

    faces = tmp_path / "faces"
    synthetic.write_synthetic(faces, 70, folders=True)
    arguments = ("--data", faces, "--layers", "stem,pooled", "--format", "png")
    assert explain(HOPPER, "-o", tmp_path / "out", *arguments) == 0
    assert {"top-activating-stem.png", "top-activating-pooled.png"} <= list_files(tmp_path / "out")


def test_missing_data_is_an_error_before_anything_is_written(explain, tmp_path):
    assert explain(HOPPER, "-o", tmp_path / "out", "--data", tmp_path / "missing") == 1
    assert not (tmp_path / "out").exists()


def test_image_without_a_face_gets_a_page_and_json(explain, empty_image, tmp_path, capsys):
    assert explain(empty_image, "-o", tmp_path / "out") == 0
    assert list_files(tmp_path / "out") == {"walkthrough.html", "explanation.json"}
    assert capsys.readouterr().out.endswith("empty.png: no face found\n")
    assert read_json(tmp_path / "out")["faces"] == []


def test_require_face_sets_the_exit_status(explain, empty_image, tmp_path, capsys):
    assert explain(empty_image, "-o", tmp_path / "out", "--require-face") == 1
    assert "--require-face" in capsys.readouterr().err
    assert (tmp_path / "out" / "walkthrough.html").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--method", "cma"),
            "There is no method 'cma'. Methods are cam, occlusion, rise. Did you mean 'cam'?",
        ),
        (("--method", "grad-cam"), "needs gradients"),
        (("--layers", "stm"), "Did you mean 'stem'?"),
        (("--layers", "nonsense"), "It has stem.conv, stem, "),
        (("--target", "hapy"), "Did you mean 'happy'?"),
        (("--versus", "bored"), "It has angry, disgust"),
        (("--target", "happy", "--versus", "happy"), "compared with itself"),
        (("--format", "pdf"), "'pdf' is none of html, png, npz, json"),
        (("--face", "0"), "--face"),
    ],
)
def test_unknown_names_are_usage_errors(explain, tmp_path, capsys, arguments, message):
    assert explain(HOPPER, "-o", tmp_path / "out", *arguments) == 2
    err = capsys.readouterr().err
    assert message in err
    assert "mien explain --help" in err
    assert not (tmp_path / "out").exists()


def test_missing_face_number_is_an_error(explain, tmp_path, capsys):
    assert explain(HOPPER, "-o", tmp_path / "out", "--face", 7) == 1
    assert "There is no face number 7" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_folder_that_is_not_empty_needs_force(explain, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    assert explain(HOPPER, "-o", out, "--format", "json") == 1
    assert "add --force" in capsys.readouterr().err
    assert list_files(out) == {"notes.txt"}
    assert explain(HOPPER, "-o", out, "--format", "json", "--force") == 0
    assert list_files(out) == {"notes.txt", "explanation.json"}


def test_file_in_place_of_the_folder_is_an_error(explain, tmp_path, capsys):
    (tmp_path / "out").write_text("a file")
    assert explain(HOPPER, "-o", tmp_path / "out") == 1
    assert explain(HOPPER, "-o", tmp_path / "out", "--force", "--format", "json") == 1
    assert "could not be written" in capsys.readouterr().err
    assert (tmp_path / "out").read_text() == "a file"


def test_folder_of_the_originals_is_refused(explain, tmp_path, capsys):
    photo = shutil.copy(HOPPER, tmp_path / "photo.jpg")
    assert explain(photo, "-o", tmp_path) == 2
    assert "contains the originals" in capsys.readouterr().err


def test_url_needs_allow_url(explain, tmp_path, capsys):
    assert explain("https://example.org/a.jpg", "-o", tmp_path / "out") == 2
    assert "--allow-url" in capsys.readouterr().err


def test_incomplete_folder_is_removed(engine, tmp_path):
    class BrokenBar:
        """Fails while files are written, as a full disk does."""

        def update(self, done, total):
            raise OSError(28, "No space left on device")

        def clear(self):
            pass

    options = ExplainOptions(ImageSources([str(HOPPER)]), tmp_path / "out", formats=("json", "npz"))
    assert run_explain(options, engine, BrokenBar()) == 1
    assert list(tmp_path.iterdir()) == []


def test_classifier_without_a_graph_is_explained_with_occlusion(tmp_path):
    photo = write_image(tmp_path / "tiny.png", 60, 8)
    assert mien("explain", photo, "-o", tmp_path / "out", "--method", "cam") == 0
    assert list_files(tmp_path / "out") == {
        "walkthrough.html", "explanation.json", "arrays.npz", "softmax.png", "evidence.png"
    }  # fmt: skip
    [face] = read_json(tmp_path / "out")["faces"]
    assert [each["method"] for each in face["maps"]] == ["occlusion"]
    assert any("graph" in note for note in face["notes"])


def test_twelve_faces_are_all_explained(tmp_path, capsys):
    boxes = tuple(Box(8 * k, 0, 8, 8) for k in range(12))
    photo = tmp_path / "crowd.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (16, 100, 3), np.uint8)).save(photo)
    load = with_fakes(detector=FakeDetector(boxes))
    assert mien("explain", photo, "-o", tmp_path / "out", "--format", "html", load=load) == 0
    assert len(capsys.readouterr().out.splitlines()) == 12
    assert len(list_files(tmp_path / "out")) == 13


@pytest.mark.full
def test_command_needs_no_package_of_the_extras(tmp_path):
    code = (
        "import sys\n"
        "extras = ('matplotlib', 'keras', 'tensorflow', 'pandas', 'sklearn', 'onnx', 'torch')\n"
        "sys.modules.update(dict.fromkeys(extras))\n"
        "from mien.apps.cli.command_line import run\n"
        f"sys.exit(run(['explain', {str(HOPPER)!r}, '-o', {str(tmp_path / 'out')!r}, '--detector', 'haar']))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert list_files(tmp_path / "out") == FILES


def test_slow_methods_report_their_progress(engine, tmp_path):
    class RecordingBar:
        def __init__(self):
            self.updates = []

        def update(self, done, total):
            self.updates.append((done, total))

        def clear(self):
            pass

    bar = RecordingBar()
    options = ExplainOptions(
        ImageSources([str(PORTRAITS)]), tmp_path / "out", methods=("cam", "occlusion", "rise"), formats=("json",)
    )
    assert run_explain(options, engine, bar) == 0
    assert bar.updates == [(1, 4), (2, 4), (3, 4), (4, 4), (1, 2), (2, 2)]
