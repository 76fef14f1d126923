"""The preview of the data augmentation, and the command that writes it."""

import sys

import numpy as np
import pytest
from PIL import Image

from command import mien
from mien.datasets import synthetic
from mien.training.recipe import AugmentationSettings

FACE = synthetic.draw_faces(4).pixels[3]


@pytest.fixture
def preview():
    pytest.importorskip("keras", reason="needs the extra train")
    from mien.training import augmentation_preview

    return augmentation_preview


@pytest.mark.train
def test_each_operation_changes_the_face(preview):
    rows = preview.preview_rows(FACE, AugmentationSettings(), seed=1)
    names = [name.partition("\n")[0] for name in rows]
    assert names[:6] == ["rotation", "scale", "shift", "flip", "contrast", "brightness"]
    assert names[-2:] == ["mixup", "all together"]
    for name, faces in rows.items():
        assert faces.shape == (preview.COLUMNS, 48, 48), name
        assert faces.dtype == np.uint8
        changed = [not np.array_equal(face, FACE) for face in faces]
        assert any(changed), name
        if not name.startswith(("flip", "erased")):  # some are mirrored, some rectangles are outside
            assert sum(changed) >= preview.COLUMNS - 1, name


@pytest.mark.train
def test_flip_mirrors_the_face(preview):
    [flipped] = [
        faces for name, faces in preview.preview_rows(FACE, AugmentationSettings()).items() if name.startswith("flip")
    ]
    assert all(np.array_equal(face, FACE[:, ::-1]) or np.array_equal(face, FACE) for face in flipped)


@pytest.mark.train
def test_preview_depends_on_the_seed_and_omits_operations_that_are_off(preview):
    settings = AugmentationSettings(rotation=0, mixup=0, erase_fraction=0)
    first, again, other = (preview.preview_rows(FACE, settings, seed) for seed in (1, 1, 2))
    assert not any(name.startswith(("rotation", "erased", "mixup")) for name in first)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["all together"], other["all together"])


@pytest.mark.train
def test_command_writes_the_preview_of_a_face_in_an_image(preview, tmp_path, capfd):
    recipe = tmp_path / "few.toml"
    off = "scale = 0\nshift = 0\nflip = false\ncontrast = 0\nbrightness = 0\nmixup = 0\n"
    fractions = "".join(f"{name}_fraction = 0\n" for name in ("erase", "jpeg", "blur", "small", "dark"))
    recipe.write_text(f"[augment]\n{off}{fractions}")
    face = tmp_path / "face.png"
    Image.fromarray(FACE).save(face)
    assert mien("data", "augment-preview", face, "-o", tmp_path / "sheet.png", "--recipe", recipe) == 0
    out, err = capfd.readouterr()
    assert (out, err) == (f"{tmp_path / 'sheet.png'}\n", "")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 2 * sheet.height


def test_missing_keras_is_reported_with_the_command_that_installs_it(tmp_path, capsys, monkeypatch):
    for name in [
        name
        for name in sys.modules
        if name.partition(".")[0] == "keras" or name == "mien.training.augmentation_preview"
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("mien.training.augmentation_preview", raising=False)
    monkeypatch.delattr("mien.training.augmentation", raising=False)
    monkeypatch.delitem(sys.modules, "mien.training.augmentation", raising=False)
    monkeypatch.setitem(sys.modules, "keras", None)
    assert mien("data", "augment-preview", "-o", tmp_path / "sheet.png") == 1
    assert 'pip install ".[train]"' in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["-o", "sheet.jpg"], 2, ".png"),
        ([], 2, "--out"),
        (["nowhere.jpg", "-o", "sheet.png"], 1, "nowhere.jpg"),
        (["-o", "sheet.png", "--recipe", "no.toml"], 1, "no recipe at no.toml"),
        (["-o", "sheet.png", "--recipe", "basik"], 1, "Did you mean 'basic'?"),
    ],
)
def test_invalid_input_is_refused(arguments, status, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert mien("data", "augment-preview", *arguments) == status
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
