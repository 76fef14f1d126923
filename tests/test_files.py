"""Atomic writes."""

import os
import sys

import pytest

from mien.files import TEMPORARY_FILES, atomic_path, temporary_path, write_atomically


def test_file_is_replaced_and_no_temporary_file_remains(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_text_is_written_as_utf_8_with_unchanged_line_ends(tmp_path):
    write_atomically(str(tmp_path / "a.txt"), "é\r\n\n", sync=True)
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa9\r\n\n"


def test_interrupted_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    writing = atomic_path(path)
    writing.__enter__().write_text("half")
    assert writing.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None) is False
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_failed_synchronization_keeps_the_old_file(tmp_path, monkeypatch):
    def fail(file):
        raise OSError("no space")

    path = tmp_path / "a.txt"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        write_atomically(path, b"new", sync=True)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need a privilege on Windows")
def test_target_of_a_symbolic_link_is_replaced(tmp_path):
    (tmp_path / "target.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("target.txt")
    write_atomically(tmp_path / "link.txt", "new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "target.txt").read_text() == "new"


def test_writing_to_a_folder_raises_os_error(tmp_path):
    with pytest.raises(OSError):
        write_atomically(tmp_path, b"x")
    assert list(tmp_path.parent.glob(TEMPORARY_FILES)) == []


def test_temporary_path_matches_the_pattern_and_is_removed(tmp_path):
    with temporary_path(tmp_path / "a.npz") as temporary:
        temporary.touch()
        assert list(tmp_path.glob(TEMPORARY_FILES)) == [temporary]
    assert list(tmp_path.iterdir()) == []
    with temporary_path(tmp_path / "a.mp4", ".mp4") as temporary:
        assert temporary.suffix == ".mp4"
