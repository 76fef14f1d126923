"""What a person sees: the table at every width, without colour, the bar, the hint; on a real terminal of the system."""

import io
import os
import re
import sys
import time
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from command import command, environment, mien, write_image, with_fakes
from fakes import FakeDetector
from mien.apps.cli.console import ProgressBar
from mien.apps.cli.options import suggest_yunet
from mien.apps.cli.result_table import SHADES, ResultTable
from mien.labels import EMOTIONS
from mien.results import Box, Emotions, Face, FrameResult, Quality, Reading, Score

EXAMPLES = Path(__file__).parents[3] / "examples"
unix = pytest.mark.skipif(sys.platform == "win32", reason="pseudo terminals of Unix")


GOOD = Quality()


def reading(top="happy", share=0.9, mixture=(), uncertain=None, quality=GOOD):
    rest = (1 - share) / (len(EMOTIONS) - 1)
    shares = tuple(Score(label, share if label == top else rest) for label in EMOTIONS)
    mixed = tuple(Score(*part) for part in mixture)
    return Reading(Face(Box(0, 0, 9, 9)), Emotions(shares, None, mixed, uncertain), quality)


MIXED = reading("sad", 0.5, [("sad", 0.6), ("neutral", 0.3)], "no expression stands out", Quality(False, "too small"))


def drawn(result, width, **options):
    out = io.StringIO()
    table = ResultTable(Console(file=out, width=width, **options))
    for line in (*table.header(), *table.rows(result)):
        table.print(line)
    return out.getvalue()


# The table


def test_a_face_is_one_line_with_emoji_words_bar_and_share():
    text = drawn(FrameResult("a.jpg", (9, 9), (reading(mixture=[("happy", 0.8)]),)), 80)
    head, line = text.splitlines()
    assert re.match(r"image +expression +probability +predicted votes$", head)
    assert re.match(rf"a\.jpg +😊 looks happy +[{SHADES} ]+ 90 % +80 % happy$", line)


def test_only_the_first_face_repeats_the_name_and_several_are_numbered():
    _, first, second = drawn(FrameResult("a.jpg", (9, 9), (reading(), reading("sad"))), 80).splitlines()
    assert re.match(r"a\.jpg +1  😊", first)
    assert re.match(r" +2  😢", second)


def test_a_mixture_doubts_and_quality_are_in_words():
    text = drawn(FrameResult("a.jpg", (9, 9), (MIXED,)), 80)
    assert "60 % sad, 30 % neutral" in text
    assert "uncertain: no expression stands out" in text
    assert "hard to judge: too small" in text


@pytest.mark.parametrize("width", [30, 40, 60, 71, 72, 80, 100, 200])
@pytest.mark.parametrize(
    "name", ["a.jpg", "photos/summer in Italy/IMG_20240711_123456.jpg", "写真/日本語の名前の写真.jpg"]
)
def test_no_line_is_wider_than_the_terminal(width, name):
    faces = (reading("surprise"), MIXED, reading("disgust", 0.99, [("disgust", 0.9)]))
    text = drawn(FrameResult(name, (9, 9), faces), width) + drawn(FrameResult(name, (9, 9)), width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert "looks surprised" in text
    assert "50 %" in text
    assert text.count(name[-6:]) == 2


@pytest.mark.parametrize("share", [0.0, 1 / 7, 0.5, 0.999, 1.0])
def test_the_bar_has_the_same_length_for_every_spread(share):
    text = drawn(FrameResult("a.jpg", (9, 9), (reading(share=share),)), 80).splitlines()[1]
    assert len(re.search(rf"[{SHADES}]+", text)[0]) == 12


def test_colours_follow_the_labels():
    text = drawn(FrameResult("a.jpg", (9, 9), (reading(),)), 80, force_terminal=True, color_system="truecolor")
    assert "\x1b[38;2;237;174;73mlooks happy" in text


def test_old_consoles_get_letters_instead_of_blocks():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    table = ResultTable(Console(file=stream, width=80))
    for line in table.rows(FrameResult("pictures/of/people/a.jpg", (9, 9), (MIXED,))):
        table.print(line)
    stream.flush()
    assert re.match(rb"~.*a\.jpg +looks sad +[#=.-]+  50 %  60 % sad, 30 % neutral", stream.buffer.getvalue())


def test_names_cannot_steer_the_terminal():
    assert "\x1b" not in drawn(FrameResult("a\x1b[2J\n.jpg", (9, 9), (reading(),)), 80)


# The bar


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def bar_at(*moments, total=None, stream=None):
    return ProgressBar(total, stream=stream or Terminal(), clock=iter([0.0, *moments]).__next__)


def test_a_bar_says_how_far_how_fast_and_how_long():
    assert bar_at(10.0, total=1000).format_line(250, 79) == "━" * 7 + "─" * 23 + " 250 of 1,000  25/s  30 s left"
    assert bar_at(10.0).format_line(1250, 79) == "1,250  125/s"
    assert bar_at(60.0, total=100_000).format_line(1000, 30) == " 1,000 of 100,000  16/s  1:39:00 left"[:30]


def test_a_bar_waits_is_drawn_and_leaves_no_trace():
    stream = Terminal()
    with bar_at(0.4, 0.6, 0.6, 0.65, total=9, stream=stream) as bar:
        bar.update(1)
        assert stream.getvalue() == ""
        bar.update(2)
        assert stream.getvalue().endswith("left")
        before = stream.getvalue()
        bar.update(3)
        assert stream.getvalue() == before
    assert stream.getvalue().endswith("\r\x1b[2K")


def test_a_bar_is_nothing_where_nobody_looks():
    stream = io.StringIO()
    with ProgressBar(9, stream=stream, after=0.0) as bar:
        bar.update(1)
    assert stream.getvalue() == ""


# A long run at a terminal


class Slow(FakeDetector):
    """Haar, on a machine that needs its time."""

    def detect(self, pixels, *, min_face=None):
        time.sleep(0.05)
        return super().detect(pixels, min_face=min_face)


@pytest.fixture
def at_terminal(monkeypatch, tmp_path):
    """Runs a command where both streams are one terminal, and gives its status and what the terminal was sent."""
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "80")

    def ran(*arguments, load=None):
        with monkeypatch.context() as patched:
            stream = Terminal()
            patched.setattr("sys.stdout", stream)
            patched.setattr("sys.stderr", stream)
            return mien(*arguments, load=load), stream.getvalue()

    return ran


def test_long_work_has_a_bar_a_sum_and_one_hint(at_terminal, tmp_path, capsys):
    for i in range(24):
        write_image(tmp_path / "p" / f"{i}.png")
    load = with_fakes(detector=Slow(name="haar"))
    status, text = at_terminal("predict", tmp_path / "p", "--jobs", 1, load=load)
    assert status == 0
    assert " of 24 " in text
    assert text.count("looks") == 24
    assert "24 images, 24 faces, " in text
    assert text.count("mien models pull yunet") == 1
    suggest_yunet(60.0)
    assert capsys.readouterr().err == ""


def test_quick_work_has_neither_bar_nor_hint(at_terminal, tmp_path):
    load = with_fakes(detector=FakeDetector(name="haar"))
    status, text = at_terminal("predict", write_image(tmp_path / "a.png"), load=load)
    assert status == 0
    assert text.count("looks") == 1
    assert not any(extra in text for extra in ("\r", "pull", "images,"))


def test_what_went_wrong_is_summed_up(at_terminal, tmp_path):
    write_image(tmp_path / "p" / "a.png", size=4)
    Path(tmp_path / "p" / "b.png").write_text("no picture")
    status, text = at_terminal("predict", tmp_path / "p", "--require-face")
    assert status == 1
    assert "2 images, 0 faces, 1 without a face, 1 failed" in text
    assert "mien: 1 of 2 images have no face" in text


# A real terminal


def on_terminal(*arguments, columns=80, errors=True, **changes):
    """What a terminal of the system shows for one command; stderr goes there too, or into the returned text."""
    import fcntl
    import pty
    import struct
    import subprocess
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    running = subprocess.Popen(
        command(*arguments),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs if errors else subprocess.DEVNULL,
        env=environment(TERM="xterm-256color", COLORTERM="truecolor", **changes),
    )
    os.close(theirs)
    text = b""
    try:
        while chunk := os.read(ours, 4096):
            text += chunk
    except OSError:  # how Linux says that the other side has closed
        pass
    os.close(ours)
    assert running.wait(timeout=60) == 0
    return text.decode()


def plain(text):
    return re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", text)


@unix
def test_a_terminal_gets_a_coloured_table(tmp_path):
    text = on_terminal("predict", EXAMPLES / "portraits.jpg", MIEN_HOME=str(tmp_path))
    assert "\x1b[38;2;" in text
    lines = [line for line in plain(text).splitlines() if "looks" in line]
    assert len(lines) == 2
    assert all(set(SHADES) & set(line) for line in lines)


@unix
def test_a_narrow_terminal_without_colour(tmp_path):
    text = on_terminal("predict", EXAMPLES / "portraits.jpg", columns=40, NO_COLOR="1", MIEN_HOME=str(tmp_path))
    assert "38;2" not in text
    assert max(map(cell_len, plain(text).splitlines())) <= 40
    assert plain(text).count("looks") == 2


@unix
def test_json_on_a_terminal_is_json_and_nothing_else(tmp_path):
    text = on_terminal("predict", EXAMPLES / "hopper.jpg", "--json", MIEN_HOME=str(tmp_path))
    assert text.startswith("{")
    assert text.count("\n") == 1
    assert "\x1b" not in text
