"""Model files by name, path and run folder, and the checksums of the embedded ones."""

import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from mien.errors import ModelDamaged, ModelError, ModelMissing
from mien.models import (
    ModelCard,
    available_models,
    cache_folder,
    checksums,
    find_model_file,
    list_models,
    pull_model,
    registry,
    resolve_model,
)
from mien.models.checksums import Checksum, read_checksums, resolve_embedded
from tiny import tiny_model


def test_cache_folder_follows_the_platform(monkeypatch, tmp_path):
    user = Path.home()
    assert cache_folder("linux", {}) == user / ".cache" / "mien"
    assert cache_folder("linux", {"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "mien"
    assert cache_folder("linux", {"XDG_CACHE_HOME": "not/absolute"}) == user / ".cache" / "mien"
    assert cache_folder("darwin", {}) == user / "Library" / "Caches" / "mien"
    assert cache_folder("win32", {"LOCALAPPDATA": str(tmp_path)}) == tmp_path / "mien"
    assert cache_folder("win32", {}) == user / "AppData" / "Local" / "mien"
    for platform in ("linux", "darwin", "win32"):
        assert cache_folder(platform, {"MIEN_HOME": "~/faces"}) == user / "faces"
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    assert not cache_folder().exists()


def test_path_of_a_file_is_resolved(tmp_path, monkeypatch):
    path = tmp_path / "a b 😀.onnx"
    path.write_bytes(tiny_model())
    assert resolve_model(path) == resolve_model(str(path)) == path
    monkeypatch.chdir(tmp_path)
    assert resolve_model("a b 😀.onnx") == Path("a b 😀.onnx")


def test_run_folder_is_resolved_to_its_model(tmp_path, monkeypatch):
    run = tmp_path / "run-7"
    run.mkdir()
    with pytest.raises(ModelMissing, match=r"has no model\.onnx"):
        resolve_model(run)
    (run / "best.onnx").write_bytes(tiny_model())
    with pytest.raises(ModelMissing, match=r"best\.onnx"):
        resolve_model(run)
    (run / "model.onnx").write_bytes(tiny_model())
    assert resolve_model(run) == resolve_model(f"{run}{os.sep}") == run / "model.onnx"
    monkeypatch.chdir(tmp_path)
    assert resolve_model("run-7") == Path("run-7") / "model.onnx"


def test_error_for_a_missing_model_suggests_a_similar_name(tmp_path):
    (tmp_path / "mine.onnx").write_bytes(tiny_model())
    with pytest.raises(ModelMissing, match=r"Did you mean 'mine\.onnx'"):
        resolve_model(tmp_path / "mein.onnx")
    name = available_models()[0]
    with pytest.raises(ModelMissing, match=f"Did you mean '{name}'"):
        resolve_model(f"{name}e")
    with pytest.raises(ModelMissing, match="mien models") as caught:
        resolve_model("zzzzzz")
    assert name in caught.value.expected
    with pytest.raises(ModelMissing, match="Did you mean 'yunet'"):
        pull_model("yunett")


@pytest.mark.parametrize("name", ["a" * 5000, "no\0path", "", "/"])
def test_impossible_paths_are_missing_models(name):
    with pytest.raises(ModelMissing):
        resolve_model(name)


def test_name_of_a_detector_is_not_a_model():
    with pytest.raises(ModelMissing, match="is a face detector") as caught:
        resolve_model("yunet")
    assert "--detector yunet" in caught.value.remedy


def test_embedded_models_need_no_download():
    for name in read_checksums():
        assert pull_model(name) == resolve_model(name) == find_model_file(name) == checksums.WEIGHTS / f"{name}.onnx"


def test_embedded_models_are_listed_with_their_paths():
    entries = {entry.name: entry for entry in list_models()}
    assert all(entries[name].kind == "model" for name in available_models())
    assert all(entries[name].path.is_file() for name in read_checksums())


def test_embedded_files_have_their_checksums_and_cards():
    names = {path.stem for path in checksums.WEIGHTS.glob("*.onnx")}
    assert names == set(read_checksums()), "run python -m mien.models.checksums"
    for name in names:
        card = ModelCard.read(resolve_embedded(name))
        assert card.name == name
        assert card.license


@pytest.fixture
def embedded(tmp_path) -> Path:
    """The model 'base' in a folder of its own, with the table of checksums."""
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "base.onnx").write_bytes(tiny_model())
    checksums.write_checksums(folder)
    return folder / "base.onnx"


def test_table_of_checksums_is_read_back(embedded):
    assert read_checksums(embedded.parent) == {"base": Checksum.of(tiny_model())}
    assert resolve_embedded("base", embedded.parent) == embedded


def test_changed_or_truncated_embedded_model_is_damaged(embedded):
    content = embedded.read_bytes()
    embedded.write_bytes(content[:-1] + b"!")
    with pytest.raises(ModelDamaged, match="'base' was changed") as caught:
        resolve_embedded("base", embedded.parent)
    assert Checksum.of(content).sha256 in caught.value.expected
    assert "Install mien again" in caught.value.remedy
    embedded.write_bytes(content[:-1])
    with pytest.raises(ModelDamaged, match="'base' is truncated"):
        resolve_embedded("base", embedded.parent)


def test_missing_embedded_model_asks_for_a_new_installation(embedded, tmp_path):
    embedded.unlink()
    with pytest.raises(ModelMissing, match="'base' is missing") as caught:
        resolve_embedded("base", embedded.parent)
    assert "--force-reinstall" in caught.value.remedy
    for table in ("", "[]", '{"base.onnx": 7}', '{"base.onnx": {}}'):
        (embedded.parent / checksums.CHECKSUM_FILE).write_text(table)
        with pytest.raises(ModelMissing, match="without its models"):
            read_checksums(embedded.parent)
    with pytest.raises(ModelMissing, match="without its models"):
        read_checksums(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("model_package:PATH", None),
        ("model_package:get_path", None),
        ("model_package:WRONG_PATH", "is not at"),
        ("model_package:NO_ATTRIBUTE", "cannot be loaded"),
        ("model_package:NUMBER", "cannot be loaded"),
        ("no_such_module:x", "cannot be loaded"),
    ],
)
def test_entry_points_add_models(target, error, tmp_path, monkeypatch):
    (tmp_path / "theirs.onnx").write_bytes(tiny_model())
    (tmp_path / "model_package.py").write_text(
        "from pathlib import Path\n"
        "PATH = Path(__file__).with_name('theirs.onnx')\n"
        "def get_path(): return str(PATH)\n"
        "WRONG_PATH = 'nowhere.onnx'\n"
        "NUMBER = 7\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "model_package", raising=False)
    points = [EntryPoint(name="theirs", value=target, group=registry.ENTRY_POINTS)]
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == registry.ENTRY_POINTS else [])
    assert available_models()[-1] == "theirs"
    if error:
        with pytest.raises(ModelError, match=error):
            resolve_model("theirs")
    else:
        assert resolve_model("theirs") == find_model_file("theirs") == tmp_path / "theirs.onnx"


@pytest.mark.full
def test_model_of_an_installed_package_is_available(tmp_path):
    info = tmp_path / "faces_of_mars-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: faces-of-mars\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mien.models]\nmars = faces_of_mars:MODEL\n")
    (tmp_path / "faces_of_mars.py").write_text(f"MODEL = {str(tmp_path / 'mars.onnx')!r}\n")
    (tmp_path / "mars.onnx").write_bytes(tiny_model())
    code = "from mien.models import list_models, resolve_model; print(resolve_model('mars')); print(list_models())"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", code]
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert process.stdout.startswith(str(tmp_path / "mars.onnx"))
    assert "origin='faces-of-mars'" in process.stdout
