"""Archives that are small and become very large are refused by their stated sizes, before anything is unpacked."""

import zipfile

import numpy as np
import pytest

from mien import files
from mien.datasets.loading import load_faces
from mien.errors import ExperimentError
from mien.files import load_npz
from mien.training.targets import SoftTargets


@pytest.fixture
def small_limit(monkeypatch):
    monkeypatch.setattr(files, "MAX_UNPACKED_BYTES", 1 << 20)


def write_bomb(path, name="pixels.npy"):
    """Four megabytes of zeros in a few kilobytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, bytes(4 << 20))
    return path


def test_arrays_are_read(tmp_path):
    np.savez(tmp_path / "a.npz", one=np.arange(3))
    assert load_npz(tmp_path / "a.npz")["one"].tolist() == [0, 1, 2]


@pytest.mark.usefixtures("small_limit")
def test_small_files_that_become_large_are_refused(tmp_path):
    path = write_bomb(tmp_path / "a.npz")
    with pytest.raises(ValueError, match=r"become 4,194,304 when it is unpacked"):
        load_npz(path)
    with pytest.raises(ExperimentError, match="become 4,194,304"):
        load_faces(path)
    with pytest.raises(ExperimentError, match="become 4,194,304"):
        SoftTargets.read(path)


@pytest.mark.usefixtures("small_limit")
def test_large_files_that_become_little_larger_are_read(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, 3 << 20, np.uint8)
    np.savez_compressed(tmp_path / "a.npz", values=values)
    assert np.array_equal(load_npz(tmp_path / "a.npz")["values"], values)


@pytest.mark.usefixtures("small_limit")
def test_keras_file_that_becomes_large_is_refused_before_it_is_unpacked(tmp_path):
    from mien.export.keras_import import convert_to_onnx

    with pytest.raises(ExperimentError, match=r"is too large: its .* bytes become 4,194,304"):
        convert_to_onnx(write_bomb(tmp_path / "a.keras", "mien.card.json"), labels=("a", "b"), scale="0-1")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 damaged", b"\x93NUMPY damaged"])
def test_damaged_files_are_value_errors(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"."):
        load_npz(tmp_path / "a.npz")


def test_header_of_a_huge_array_is_a_value_error(tmp_path):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000,), }"
    header += b" " * (117 - len(header)) + b"\n"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("pixels.npy", content)
    with pytest.raises(ValueError, match=r"."):
        load_npz(tmp_path / "a.npz")
