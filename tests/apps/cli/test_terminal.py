"""The output on a terminal: the table at every width and without colour, the progress bar, the hint."""

import io
import os
import re
import sys
import time
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from command import command, environment, mien, with_fakes, write_image
from fakes import FakeDetector
from mien.apps.cli import options
from mien.apps.cli.console import ProgressBar
from mien.apps.cli.options import offer_yunet, suggest_yunet
from mien.apps.cli.results import SHADES, ResultTable
from mien.labels import EMOTIONS
from mien.results import Box, Emotions, Face, FrameResult, Quality, Reading, Score

EXAMPLES = Path(__file__).parents[3] / "examples"
unix = pytest.mark.skipif(sys.platform == "win32", reason="pseudo terminals of Unix")


GOOD = Quality()


def reading(top="happy", probability=0.9, mixture=(), uncertain=None, quality=GOOD):
    rest = (1 - probability) / (len(EMOTIONS) - 1)
    scores = tuple(Score(label, probability if label == top else rest) for label in EMOTIONS)
    mixed = tuple(Score(*part) for part in mixture)
    return Reading(Face(Box(0, 0, 9, 9)), Emotions(scores, None, mixed, uncertain), quality)


MIXED = reading("sad", 0.5, [("sad", 0.6), ("neutral", 0.3)], "no expression stands out", Quality(False, "too small"))


def print_table(result, width, **options):
    out = io.StringIO()
    ResultTable(Console(file=out, width=width, **options)).print(result)
    return out.getvalue()


# The table


def test_a_face_is_one_line_with_emoji_expression_bar_and_probability():
    text = print_table(FrameResult("a.jpg", (9, 9), (reading(mixture=[("happy", 0.8)]),)), 80)
    head, line = text.splitlines()
    assert re.match(r"image +expression +probability +predicted votes$", head)
    assert re.match(rf"a\.jpg +😊 looks happy +[{SHADES} ]+ 90 % +80 % happy$", line)


def test_several_faces_are_numbered_and_the_name_is_printed_once():
    _, first, second = print_table(FrameResult("a.jpg", (9, 9), (reading(), reading("sad"))), 80).splitlines()
    assert re.match(r"a\.jpg +1  😊", first)
    assert re.match(r" +2  😢", second)


def test_mixture_uncertainty_and_quality_are_printed():
    text = print_table(FrameResult("a.jpg", (9, 9), (MIXED,)), 80)
    assert "60 % sad, 30 % neutral" in text
    assert "Unsure: no expression stands out." in text
    assert "Hard to judge: too small." in text


@pytest.mark.parametrize("width", [30, 40, 60, 71, 72, 80, 100, 200])
@pytest.mark.parametrize(
    "name", ["a.jpg", "photos/summer in Italy/IMG_20240711_123456.jpg", "写真/日本語の名前の写真.jpg"]
)
def test_no_line_is_wider_than_the_terminal(width, name):
    faces = (reading("surprise"), MIXED, reading("disgust", 0.99, [("disgust", 0.9)]))
    text = print_table(FrameResult(name, (9, 9), faces), width) + print_table(FrameResult(name, (9, 9)), width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert "looks surprised" in text
    assert "50 %" in text
    assert text.count(name[-6:]) == 2


@pytest.mark.parametrize("probability", [0.0, 1 / 7, 0.5, 0.999, 1.0])
def test_the_bar_has_the_same_length_for_all_probabilities(probability):
    text = print_table(FrameResult("a.jpg", (9, 9), (reading(probability=probability),)), 80).splitlines()[1]
    assert len(re.search(rf"[{SHADES}]+", text)[0]) == 12


def test_the_expression_has_the_colour_of_its_label():
    text = print_table(FrameResult("a.jpg", (9, 9), (reading(),)), 80, force_terminal=True, color_system="truecolor")
    assert "\x1b[38;2;237;174;73mlooks happy" in text


def test_consoles_without_block_characters_get_ascii():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    ResultTable(Console(file=stream, width=80)).print(FrameResult("pictures/of/people/a.jpg", (9, 9), (MIXED,)))
    stream.flush()
    assert re.search(rb"\n~.*a\.jpg +looks sad +[#=.-]+  50 %  60 % sad, 30 % neutral", stream.buffer.getvalue())


def test_control_characters_in_file_names_are_escaped():
    assert "\x1b" not in print_table(FrameResult("a\x1b[2J\n.jpg", (9, 9), (reading(),)), 80)


# The bar


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def create_bar(*times, total=None, stream=None):
    return ProgressBar(total, stream=stream or Terminal(), clock=iter([0.0, *times]).__next__)


def test_the_bar_shows_progress_speed_and_remaining_time():
    assert create_bar(10.0, total=1000).format_line(250, 79) == "━" * 7 + "─" * 23 + " 250 of 1,000  25/s  30 s left"
    assert create_bar(10.0).format_line(1250, 79) == "1,250  125/s"
    assert create_bar(60.0, total=100_000).format_line(1000, 30) == " 1,000 of 100,000  16/s  1:39:00 left"[:30]


def test_the_bar_appears_late_is_redrawn_rarely_and_is_cleared():
    stream = Terminal()
    with create_bar(0.4, 0.6, 0.6, 0.65, total=9, stream=stream) as bar:
        bar.update(1)
        assert stream.getvalue() == ""
        bar.update(2)
        assert stream.getvalue().endswith("left")
        before = stream.getvalue()
        bar.update(3)
        assert stream.getvalue() == before
    assert stream.getvalue().endswith("\r\x1b[2K")


def test_there_is_no_bar_without_a_terminal():
    stream = io.StringIO()
    with ProgressBar(9, stream=stream, after=0.0) as bar:
        bar.update(1)
    assert stream.getvalue() == ""


# A long run at a terminal


class SlowDetector(FakeDetector):
    """A detector that takes 50 ms for each image."""

    def detect(self, pixels, *, min_face=None):
        time.sleep(0.05)
        return super().detect(pixels, min_face=min_face)


@pytest.fixture
def run_at_terminal(monkeypatch, tmp_path):
    """Runs a command with both streams on one terminal, and returns its status and all that was written there."""
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "80")

    def run_command(*arguments, load=None):
        with monkeypatch.context() as patched:
            stream = Terminal()
            patched.setattr("sys.stdout", stream)
            patched.setattr("sys.stderr", stream)
            return mien(*arguments, load=load), stream.getvalue()

    return run_command


def test_a_long_run_has_a_bar_a_summary_and_one_hint(run_at_terminal, tmp_path, capsys):
    for i in range(24):
        write_image(tmp_path / "p" / f"{i}.png")
    load = with_fakes(detector=SlowDetector(name="haar"))
    status, text = run_at_terminal("predict", tmp_path / "p", "--jobs", 1, load=load)
    assert status == 0
    assert " of 24 " in text
    assert text.count("looks") == 24
    assert "24 images, 24 faces, " in text
    assert text.count("mien models pull yunet") == 1
    suggest_yunet(60.0)
    assert capsys.readouterr().err == ""


def test_a_short_run_has_neither_bar_nor_hint(run_at_terminal, tmp_path):
    load = with_fakes(detector=FakeDetector(name="haar"))
    status, text = run_at_terminal("predict", write_image(tmp_path / "a.png"), load=load)
    assert status == 0
    assert text.count("looks") == 1
    assert not any(extra in text for extra in ("\r", "pull", "images,"))


def test_failures_are_in_the_summary(run_at_terminal, tmp_path):
    write_image(tmp_path / "p" / "a.png", size=4)
    Path(tmp_path / "p" / "b.png").write_text("no picture")
    status, text = run_at_terminal("predict", tmp_path / "p", "--require-face")
    assert status == 1
    assert "2 images, 0 faces, 1 without a face, 1 failed" in text
    assert "mien: 1 of 2 images have no face" in text


# A pseudo terminal


def run_in_pty(*arguments, columns=80, errors=True, **changes):
    """The output of one command in a pseudo terminal; without ``errors`` stderr is discarded."""
    import fcntl
    import pty
    import struct
    import subprocess
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        command(*arguments),
        stdin=subprocess.DEVNULL,
        stdout=slave,
        stderr=slave if errors else subprocess.DEVNULL,
        env=environment(TERM="xterm-256color", COLORTERM="truecolor", **changes),
    )
    os.close(slave)
    text = b""
    try:
        while chunk := os.read(master, 4096):
            text += chunk
    except OSError:  # Linux raises an error when the other side is closed
        pass
    os.close(master)
    assert process.wait(timeout=60) == 0
    return text.decode()


def strip_escapes(text):
    return re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", text)


@unix
def test_a_terminal_gets_a_coloured_table(tmp_path):
    text = run_in_pty("predict", EXAMPLES / "portraits.jpg", MIEN_HOME=str(tmp_path))
    assert "\x1b[38;2;" in text
    lines = [line for line in strip_escapes(text).splitlines() if "looks" in line]
    assert len(lines) == 2
    assert all(set(SHADES) & set(line) for line in lines)


@unix
@pytest.mark.full
def test_a_narrow_terminal_without_colour(tmp_path):
    text = run_in_pty("predict", EXAMPLES / "portraits.jpg", columns=40, NO_COLOR="1", MIEN_HOME=str(tmp_path))
    assert "38;2" not in text
    assert max(map(cell_len, strip_escapes(text).splitlines())) <= 40
    assert strip_escapes(text).count("looks") == 2


@unix
@pytest.mark.full
def test_json_on_a_terminal_is_json_and_nothing_else(tmp_path):
    text = run_in_pty("predict", EXAMPLES / "hopper.jpg", "--json", MIEN_HOME=str(tmp_path))
    assert text.startswith("{")
    assert text.count("\n") == 1
    assert "\x1b" not in text


# The offer to download YuNet


@pytest.fixture
def interactive(monkeypatch, tmp_path):
    """A person at a terminal, without YuNet's file; the answers are given in the test."""
    monkeypatch.setenv("MIEN_HOME", str(tmp_path))
    monkeypatch.setattr(options, "is_terminal", lambda stream: True)
    questions = []

    def answer(reply):
        monkeypatch.setattr(options.click, "prompt", lambda *_, **__: questions.append(reply) or reply)
        return questions

    return answer


def test_yunet_is_offered_until_the_answer_is_never(interactive):
    questions = interactive("n")
    offer_yunet("auto")
    offer_yunet("haar")
    assert questions == ["n"]
    interactive("never")
    offer_yunet("auto")
    offer_yunet("auto")
    assert questions == ["n", "never"]


def test_yunet_is_downloaded_on_request_and_a_failure_is_one_line(interactive, monkeypatch, capsys):
    from mien.errors import FetchError
    from mien.models import registry

    limits = []

    def pull(name, **arguments):
        limits.append(arguments)
        raise FetchError("'yunet' could not be fetched", "Expected a network", "Try again")

    monkeypatch.setattr(registry, "pull_model", pull)
    interactive("y")
    offer_yunet("auto")
    assert limits == [{"timeout": 5.0, "deadline": 60.0}]
    assert "could not be fetched" in capsys.readouterr().err


def test_a_pipe_gets_no_question(monkeypatch, tmp_path):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path))
    monkeypatch.setattr(options, "is_terminal", lambda stream: stream is not sys.stdout)
    monkeypatch.setattr(options.click, "prompt", lambda *_, **__: pytest.fail("a pipe got a question"))
    offer_yunet("auto")
