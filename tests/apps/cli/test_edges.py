"""The command line where the system is odd: closed streams, links in circles, names too long, folders closed to us."""

import json
import os
import sys
from pathlib import Path

import pytest
from PIL import Image

from command import environment, mien, write_image, run_process
from mien.apps.cli.options import SLOW_RUN_SECONDS, suggest_yunet
from mien.apps.cli.sources import find_inputs
from tiny import tiny_card, tiny_model

unix = pytest.mark.skipif(sys.platform == "win32", reason="links and users of Unix")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
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


def test_with_a_closed_stderr_nothing_else_comes_to_stdout(monkeypatch, capsys):
    write_image(Path("a.png"))
    monkeypatch.setattr(sys, "stderr", None)
    assert mien("predict", "a.png", "missing.png") == 1
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("a.png: ")


def test_with_a_closed_stdout_what_went_wrong_is_still_said(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", None)
    assert mien("models", "show", "nobody") == 1
    assert "There is no model 'nobody'" in capsys.readouterr().err


@unix
def test_a_damaged_picture_is_one_line_whatever_its_decoder_says():
    """libtiff writes to the file descriptor, where only a whole process can be heard."""
    Image.effect_noise((64, 64), 50).save("noise.tif", compression="tiff_lzw")
    data = bytearray(Path("noise.tif").read_bytes())
    data[600:700] = bytes(100)
    Path("noise.tif").write_bytes(data)
    done = run_process("predict", "noise.tif", "--detector", "none")
    [line] = done.stderr.decode().splitlines()
    assert line.startswith("mien: 'noise.tif' is a damaged TIFF")
    assert b"LZWDecode" in run_process("predict", "noise.tif", "--detector", "none", env=environment(MIEN_DEBUG="1")).stderr


# Names


@unix
def test_links_in_circles_do_not_stop_the_copies(capsys):
    write_image(Path("p/a.png"))
    Path("p/loop.jpg").symlink_to("loop.jpg")
    Path("circle").symlink_to("circle")
    assert mien("predict", "p", "--annotate", "p/painted", "--json") == 1
    read, failed = map(json.loads, capsys.readouterr().out.splitlines())
    assert (read["source"], failed["source"]) == ("p/a.png", "p/loop.jpg")
    assert "leads to itself" in failed["error"]
    assert Path("p/painted/a.png").exists()
    assert mien("predict", "circle/x.jpg", "--annotate", "painted", "--json") == 1
    assert "circle/x.jpg" in capsys.readouterr().out


@pytest.mark.parametrize("target", ["painted", f"{'n' * 300}.png"])
def test_a_copy_whose_name_is_too_long_is_a_failed_copy(target, capsys):
    source = write_image(Path(f"{'x' * 251}.gif"))
    assert mien("predict", source, "--annotate", target, "--json") == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["faces"]
    assert "could not be written" in err


def test_an_address_gives_a_copy_a_name_that_stays_in_its_folder():
    names = ("http://127.0.0.1:1/..", r"http://127.0.0.1:1/..\..\a:b.png", f"http://127.0.0.1:1/{'n' * 400}.png")
    plain, windows, long = (image.relative_path.name for image in find_inputs(names))
    assert (plain, windows) == ("..", ".._.._a_b.png")
    assert len(long) == 100
    assert long.endswith("n.png")


def test_words_from_files_do_not_steer_the_terminal(capsys):
    Path("red.onnx").write_bytes(tiny_model(tiny_card(), input_name="\x1b[31mred\x07", kind="int64"))
    assert mien("predict", "a.png", "--model", "\x1b[31mnone.onnx", load=_real) == 2
    assert mien("models", "show", "\x1b[31mnone.onnx") == 1
    assert mien("predict", "a.png", "--model", "red.onnx", load=_real) == 1
    assert "\x1b" not in capsys.readouterr().err


def _real(*, model, detector):
    from mien import Engine

    return Engine.load(model=model, detector="none")


# What must not be written over


def test_a_table_is_never_written_over_a_source(capsys):
    before = write_image(Path("a.png")).rename("photo").read_bytes()
    assert mien("predict", "photo", "--csv", "./photo") == 2
    assert "overwrite the source" in capsys.readouterr().err
    assert Path("photo").read_bytes() == before


@pytest.mark.parametrize("words", [["p"], ["p/x.gif", "p/x.gif.png"], ["p/x.gif.png", "p/x.gif"]])
def test_two_pictures_never_share_the_name_of_a_copy(words):
    write_image(Path("p/x.gif"), size=8)
    write_image(Path("p/x.gif.png"), size=9)
    assert mien("predict", *words, "--annotate", "painted") == 0
    assert sorted(size_of(copy) for copy in Path("painted").iterdir()) == [(8, 8), (9, 9)]


def size_of(path):
    with Image.open(path) as opened:
        return opened.size


# Folders closed to us


@pytest.fixture
def stranger():
    """Nobody in particular, for whom permissions count, while the test lasts."""
    if os.getuid():
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


@unix
def test_a_folder_for_the_copies_that_may_not_be_entered(here, request, capsys):
    write_image(Path("a.png"))
    Path("closed").mkdir(mode=0)
    here.chmod(0o755)
    request.getfixturevalue("stranger")
    assert mien("predict", "a.png", "--annotate", "closed/in", "--json") == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["faces"]
    assert "could not be created" in err


def test_a_hint_that_cannot_be_remembered_is_given_all_the_same(monkeypatch, capsys):
    Path("file").write_bytes(b"")
    monkeypatch.setenv("MIEN_HOME", "file/below")
    suggest_yunet(SLOW_RUN_SECONDS + 1)
    assert "mien models pull yunet" in capsys.readouterr().err
