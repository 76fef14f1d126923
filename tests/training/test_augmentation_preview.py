"""The sheet of one face under each transformation, and the command that writes it."""

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
def test_each_transformation_changes_the_face_and_all_come_together(preview):
    shown = preview.rows(FACE, AugmentationSettings(), seed=1)
    names = [name.partition("\n")[0] for name in shown]
    assert names[:6] == ["turned", "larger, smaller", "shifted", "mirrored", "contrast", "brightness"]
    assert names[-2:] == ["mixed with another", "all together"]
    for name, faces in shown.items():
        assert faces.shape == (preview.COLUMNS, 48, 48), name
        assert faces.dtype == np.uint8
        changed = [not np.array_equal(face, FACE) for face in faces]
        assert any(changed), name
        if "half" not in name:  # some are mirrored, some hidden at a corner
            assert sum(changed) >= preview.COLUMNS - 1, name


@pytest.mark.train
def test_a_mirrored_face_is_mirrored(preview):
    [flipped] = [faces for name, faces in preview.rows(FACE, AugmentationSettings()).items() if name.startswith("mirrored")]
    kinds = {np.array_equal(face, FACE[:, ::-1]) or np.array_equal(face, FACE) for face in flipped}
    assert kinds == {True}


@pytest.mark.train
def test_the_seed_decides_and_what_is_off_is_not_shown(preview):
    settings = AugmentationSettings(rotation=0, mixup=0, erase_fraction=0)
    first, again, other = (preview.rows(FACE, settings, seed) for seed in (1, 1, 2))
    assert not any(name.startswith(("turned", "half", "mixed")) for name in first)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["all together"], other["all together"])


@pytest.mark.train
def test_the_command_writes_the_sheet_of_a_face_in_a_picture(preview, tmp_path, capfd):
    recipe = tmp_path / "few.toml"
    off = "scale = 0\nshift = 0\nflip = false\ncontrast = 0\nbrightness = 0\nmixup = 0\n"
    parts = "".join(f"{name}_part = 0\n" for name in ("erase", "jpeg", "blur", "small", "dark"))
    recipe.write_text(f"[augment]\n{off}{parts}")
    face = tmp_path / "face.png"
    Image.fromarray(FACE).save(face)
    assert mien("data", "augment-preview", face, "-o", tmp_path / "sheet.png", "--recipe", recipe) == 0
    out, err = capfd.readouterr()
    assert (out, err) == (f"{tmp_path / 'sheet.png'}\n", "")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 2 * sheet.height


def test_without_keras_the_command_that_brings_it_is_told(tmp_path, capsys, monkeypatch):
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
    ("arguments", "status", "said"),
    [
        (["-o", "sheet.jpg"], 2, ".png"),
        ([], 2, "--out"),
        (["nowhere.jpg", "-o", "sheet.png"], 1, "nowhere.jpg"),
        (["-o", "sheet.png", "--recipe", "no.toml"], 1, "no recipe at no.toml"),
        (["-o", "sheet.png", "--recipe", "basik"], 1, "Did you mean 'basic'?"),
    ],
)
def test_what_cannot_be_shown_is_said(arguments, status, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert mien("data", "augment-preview", *arguments) == status
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
