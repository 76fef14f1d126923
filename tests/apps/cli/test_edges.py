"""Unusual conditions of the system: closed streams, circular links, long names, folders without permission."""

import json
import os
import sys
from pathlib import Path

import pytest
from PIL import Image

from command import environment, mien, run_process, write_image
from mien.apps.cli.options import SLOW_RUN_SECONDS, suggest_yunet
from mien.apps.cli.sources import ImageSources
from tiny import tiny_card, tiny_model

unix = pytest.mark.skipif(sys.platform == "win32", reason="links and users of Unix")


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


# Closed streams


def test_a_closed_stdin_is_a_failure(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", None)
    assert mien("predict", "-", "--json") == 1
    assert "stdin is closed" in json.loads(capsys.readouterr().out)["error"]


def test_a_stdin_that_cannot_be_read_is_a_failure(monkeypatch, capsys):
    with Path("written").open("w") as stream, monkeypatch.context() as patch:
        patch.setattr(sys, "stdin", stream)
        assert mien("predict", "-", "--json") == 1
    assert "stdin cannot be read" in json.loads(capsys.readouterr().out)["error"]


def test_with_a_closed_stderr_stdout_has_results_only(monkeypatch, capsys):
    write_image(Path("a.png"))
    monkeypatch.setattr(sys, "stderr", None)
    assert mien("predict", "a.png", "missing.png") == 1
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("a.png: ")


def test_with_a_closed_stdout_errors_are_still_printed(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", None)
    assert mien("models", "show", "nobody") == 1
    assert "There is no model 'nobody'" in capsys.readouterr().err


@unix
@pytest.mark.full
def test_a_damaged_image_is_one_line_without_output_of_its_decoder():
    """libtiff writes to the file descriptor, which only another process can capture."""
    Image.effect_noise((64, 64), 50).save("noise.tif", compression="tiff_lzw")
    data = bytearray(Path("noise.tif").read_bytes())
    data[600:700] = bytes(100)
    Path("noise.tif").write_bytes(data)
    completed = run_process("predict", "noise.tif", "--detector", "none")
    [line] = completed.stderr.decode().splitlines()
    assert line.startswith("mien: 'noise.tif' is a damaged TIFF")
    assert (
        b"LZWDecode"
        in run_process("predict", "noise.tif", "--detector", "none", env=environment(MIEN_DEBUG="1")).stderr
    )


# Names


@unix
def test_circular_links_are_failures(capsys):
    write_image(Path("p/a.png"))
    Path("p/loop.jpg").symlink_to("loop.jpg")
    Path("circle").symlink_to("circle")
    assert mien("predict", "p", "--annotate", "p/annotated", "--json") == 1
    read, failed = map(json.loads, capsys.readouterr().out.splitlines())
    assert (read["source"], failed["source"]) == ("p/a.png", "p/loop.jpg")
    assert "leads to itself" in failed["error"]
    assert Path("p/annotated/a.png").exists()
    assert mien("predict", "circle/x.jpg", "--annotate", "annotated", "--json") == 1
    assert "circle/x.jpg" in capsys.readouterr().out


@pytest.mark.parametrize("target", ["annotated", f"{'n' * 300}.png"])
def test_a_copy_whose_name_is_too_long_is_a_failed_copy(target, capsys):
    source = write_image(Path(f"{'x' * 251}.gif"))
    assert mien("predict", source, "--annotate", target, "--json") == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["faces"]
    assert "could not be written" in err


def test_the_copy_of_a_url_has_a_name_inside_the_folder():
    names = ("http://127.0.0.1:1/..", r"http://127.0.0.1:1/..\..\a:b.png", f"http://127.0.0.1:1/{'n' * 400}.png")
    plain, windows, long = (image.relative_path.name for image in ImageSources(names).find())
    assert (plain, windows) == ("..", ".._.._a_b.png")
    assert len(long) == 100
    assert long.endswith("n.png")


def test_control_characters_from_files_are_escaped(capsys):
    Path("red.onnx").write_bytes(tiny_model(tiny_card(), input_name="\x1b[31mred\x07", kind="int64"))
    assert mien("predict", "a.png", "--model", "\x1b[31mnone.onnx", load=load_real_engine) == 2
    assert mien("models", "show", "\x1b[31mnone.onnx") == 1
    assert mien("predict", "a.png", "--model", "red.onnx", load=load_real_engine) == 1
    assert "\x1b" not in capsys.readouterr().err


def load_real_engine(*, model, detector, prior="training"):
    from mien import Engine

    return Engine.load(model=model, detector="none")


# Files that must not be overwritten


def test_a_table_is_never_written_over_a_source(capsys):
    before = write_image(Path("a.png")).rename("photo").read_bytes()
    assert mien("predict", "photo", "--csv", "./photo") == 2
    assert "overwrite the source" in capsys.readouterr().err
    assert Path("photo").read_bytes() == before


@pytest.mark.parametrize("words", [["p"], ["p/x.gif", "p/x.gif.png"], ["p/x.gif.png", "p/x.gif"]])
def test_two_images_never_share_the_name_of_a_copy(words):
    write_image(Path("p/x.gif"), size=8)
    write_image(Path("p/x.gif.png"), size=9)
    assert mien("predict", *words, "--annotate", "annotated") == 0
    assert sorted(size_of(copy) for copy in Path("annotated").iterdir()) == [(8, 8), (9, 9)]


def size_of(path):
    with Image.open(path) as opened:
        return opened.size


# Permissions


@pytest.fixture
def unprivileged_user():
    """A user without root's permissions, during the test."""
    if os.getuid():
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


@unix
def test_a_folder_of_copies_without_permission_is_reported(working_folder, request, capsys):
    write_image(Path("a.png"))
    Path("closed").mkdir(mode=0)
    working_folder.chmod(0o755)
    request.getfixturevalue("unprivileged_user")
    assert mien("predict", "a.png", "--annotate", "closed/in", "--json") == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["faces"]
    assert "could not be written" in err


def test_the_hint_is_printed_where_it_cannot_be_recorded(monkeypatch, capsys):
    Path("file").write_bytes(b"")
    monkeypatch.setenv("MIEN_HOME", "file/below")
    suggest_yunet(SLOW_RUN_SECONDS + 1)
    assert "mien models pull yunet" in capsys.readouterr().err
