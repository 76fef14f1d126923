"""``mien video`` on real films: what it writes, how it is stopped and goes on, and that hidden faces stay hidden."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command import environment, mien, with_fakes
from fakes import FakeClassifier, FakeDetector
from mien import Engine
from mien import video as video_io
from mien.labels import EMOTIONS
from mien.results import Box
from mien.video import journal as going
from mien.video.anonymize import FaceBlur, blur_faces
from mien.video.journal import AnalysisOptions, ResumableAnalysis
from mien.video.results import PeakImages, _portrait
from mien.video.timeline import VideoSummary
from mien.video.writers import open_writer
from analyzed_frames import JUDGE, film, shares
from synthetic_video import BOX, FPS, HAPPY, SAD, frame

unix = pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """Two seconds that look happy, two that look sad."""
    path = tmp_path_factory.mktemp("film") / "clip.webm"
    with open_writer(path, (160, 120), FPS) as out:
        for index in range(80):
            out.write(frame(HAPPY if index < 40 else SAD), index / FPS)
    return path


def fakes(detector=None):
    return with_fakes(detector=detector or FakeDetector((BOX,)))


def video(*arguments, detector=None) -> int:
    return mien("video", *arguments, load=fakes(detector))


def table(path) -> list[dict[str, str]]:
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


# What it writes


def test_a_film_becomes_a_table(clip, tmp_path):
    assert video(clip, "--csv", tmp_path / "faces.csv") == 0
    rows = table(tmp_path / "faces.csv")
    assert ",".join(rows[0]) == (
        "frame,seconds,person,x,y,w,h,detection,emotion,angry,disgust,fear,happy,sad,surprise,neutral,uncertain,quality"
    )
    assert len(rows) == 80
    assert [rows[0]["emotion"], rows[-1]["emotion"]] == ["happy", "sad"]
    assert {row["person"] for row in rows} == {"1"}
    first = next(float(row["seconds"]) for row in rows if row["emotion"] == "sad")
    assert 2.0 <= first <= 2.2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faces.csv"]


def test_raw_shares_stand_beside_the_steadied_ones(clip, tmp_path):
    assert video(clip, "--csv", tmp_path / "a.csv", "--json", tmp_path / "a.jsonl", "--raw", "--end", 2.3) == 0
    row = table(tmp_path / "a.csv")[41]
    assert float(row["raw_sad"]) > float(row["sad"]) + 0.1
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    face = next(line for line in lines if line.get("frame") == 41)["faces"][0]
    assert face["raw"]["sad"] == pytest.approx(float(row["raw_sad"]), abs=1e-4)


def test_json_tells_the_film_its_frames_events_and_people(clip, capsys):
    assert video(clip, "--json", "-") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    kinds = [line["kind"] for line in lines]
    assert kinds[0] == "film"
    assert kinds.count("frame") == 80
    happy, sad = (line for line in lines if line["kind"] == "event")
    assert (happy["label"], sad["label"]) == ("happy", "sad")
    [person] = (line for line in lines if line["kind"] == "person")
    assert person["judged"] == pytest.approx(4.0, abs=0.1)
    assert person["looks"]["happy"] == pytest.approx(0.5, abs=0.05)


def test_events_in_a_table_and_as_subtitles(clip, tmp_path):
    assert video(clip, "--events", tmp_path / "e.csv", "--vtt", tmp_path / "e.vtt") == 0
    happy, sad = table(tmp_path / "e.csv")
    assert (happy["emotion"], sad["emotion"]) == ("happy", "sad")
    assert float(happy["end"]) == pytest.approx(2.1, abs=0.1)
    assert float(sad["end"]) == pytest.approx(4.0, abs=0.1)
    text = (tmp_path / "e.vtt").read_text()
    assert text.startswith("WEBVTT\n\n")
    assert re.search(r"\n00:00:00\.000 --> 00:00:02\.\d{3}\n<v Person 1>person 1 looks happy", text)


def test_without_files_there_is_a_summary(clip, capsys):
    assert video(clip) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].endswith("4.0 s, 80 frames, 1 person")
    assert out[1].startswith("person 1: seen 4.0 s from 0.0 s, judged 100 %, looks happy 5")
    assert out[2].startswith("person 1: happy from 0.0 to 2.0 s, peak 0.")


def test_a_film_without_faces(clip, tmp_path, capsys):
    nobody = FakeDetector(())
    options = ["--csv", tmp_path / "a.csv", "--report", tmp_path / "a.html", "--vtt", tmp_path / "a.vtt"]
    assert video(clip, *options, detector=nobody) == 0
    assert "no face found" in capsys.readouterr().out
    assert table(tmp_path / "a.csv") == []
    assert "No face was found" in (tmp_path / "a.html").read_text()


def test_a_part_of_the_film(clip, tmp_path):
    assert video(clip, "--csv", tmp_path / "a.csv", "--start", "0:01", "--end", "3", "--every", 2) == 0
    rows = table(tmp_path / "a.csv")
    assert [int(row["frame"]) for row in rows] == list(range(20, 60, 2))


def test_a_baseline_tells_people_from_their_faces(clip, tmp_path):
    assert video(clip, "--csv", tmp_path / "a.csv") == 0
    assert video(clip, "--csv", tmp_path / "b.csv", "--raw", "--baseline", "1") == 0
    plain, relative = table(tmp_path / "a.csv"), table(tmp_path / "b.csv")
    assert len(relative) == 80
    assert float(relative[10]["happy"]) < 0.6 * float(plain[10]["happy"])
    assert relative[10]["raw_happy"] == plain[0]["happy"]
    assert relative[70]["emotion"] == "sad"


class Page(HTMLParser):
    """Counts elements and keeps attributes; a page that is not closed properly fails."""

    VOID = ("meta", "link", "img", "input", "br", "path", "rect", "circle")

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.attributes = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        self.attributes += attributes
        self.open += [tag] * (tag not in self.VOID)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_report_is_one_page_that_needs_nothing_else(clip, tmp_path):
    assert video(clip, "--report", tmp_path / "r.html") == 0
    text = (tmp_path / "r.html").read_text()
    page = Page(text)
    assert page.seen.count("section") == 1
    assert page.seen.count("video") == 1
    sources = [value for name, value in page.attributes if name in ("src", "href")]
    assert [value for value in sources if not value.startswith(("data:", "clip.webm#t="))] == []
    assert "No person is identified or stored." in text
    assert "visible for 4.0 s" in text
    assert text.count("<img") == 2
    assert re.search(r"title='sad, 2\.\d s to 4\.0 s, peak \d\d", text)


# Hidden faces


def test_hidden_faces_show_in_no_file(clip, tmp_path):
    options = ["--annotate", tmp_path / "p.webm", "--report", tmp_path / "r.html", "--blur-faces"]
    assert video(clip, *options) == 0
    clear = inside(frame(HAPPY))
    with video_io.open_video(tmp_path / "p.webm") as painted:
        frames = [inside(each.pixels) for each in painted.frames()]
    assert len(frames) >= 78
    assert clear.std() > 40
    assert max(each.std() for each in frames) < clear.std() / 2
    text = (tmp_path / "r.html").read_text()
    assert "clip.webm#" not in text
    assert "p.webm#t=" in text
    assert "blurred faces" in text


def inside(pixels):
    """The middle of the face, off its box and its tag."""
    return pixels[44:72, 48:80].astype(float)


def test_a_face_is_hidden_before_it_is_found_and_while_it_is_missed():
    hiding, boxes = FaceBlur(), {10: BOX, 20: BOX}
    shown = []
    for index in range(60):
        faces = [(1, boxes[index])] if index in boxes else []
        shown += list(hiding.step(frame(HAPPY), index / FPS, faces, index))
    shown += list(hiding.finish())
    assert [each.ticket for each in shown] == list(range(60))
    hidden = [each.ticket for each in shown if inside(each.pixels).std() < 20]
    assert hidden == list(range(1, 37))


def test_nothing_fine_is_left_of_a_hidden_face():
    one, other = frame(HAPPY, seed=1), frame(HAPPY, seed=2)
    assert np.abs(inside(one) - inside(other)).mean() > 20
    hidden = [inside(blur_faces(each, [BOX])) for each in (one, other)]
    assert np.abs(hidden[0] - hidden[1]).mean() < np.abs(inside(one) - inside(other)).mean() / 2
    assert blur_faces(one, []).tobytes() == one.tobytes()


def test_nothing_of_a_hidden_portrait_is_left_to_its_corners():
    noise = np.random.default_rng(1).integers(0, 256, (96, 96, 3), np.uint8)
    hidden = np.asarray(Image.open(BytesIO(_portrait(noise, Box(24, 24, 48, 48), hidden=True))), np.float64)
    for corner in (hidden[:12, :12], hidden[:12, -12:], hidden[-12:, :12], hidden[-12:, -12:]):
        assert np.abs(np.diff(corner, axis=0)).max() < 12
        assert np.abs(np.diff(corner, axis=1)).max() < 12


def test_hiding_takes_boxes_beyond_the_picture():
    assert blur_faces(frame(HAPPY), [Box(-20, -20, 60, 60), Box(150, 110, 50, 50), Box(500, 0, 9, 9)]).shape == (
        120,
        160,
        3,
    )


def test_peaks_keep_few_pictures():
    record, peaks = VideoSummary(JUDGE), PeakImages()
    parts = [(0.5, shares(**{label: 0.8})) for _ in range(4) for label in ("happy", "sad", "surprise", "neutral")]
    told = [each.__class__(each.index, each.seconds, each.result, pixels=frame(HAPPY)) for each in film(*parts)]
    for each in record.follow(iter(told)):
        peaks.add(each.moment, record)
    record.finish()
    pictures = peaks.of(record.events)
    assert len(pictures) == 8
    assert "neutral" not in {event.label for event in pictures}
    assert all(jpeg.startswith(b"\xff\xd8") for jpeg in pictures.values())


# Wrong usage


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--every", "2", "--fps", "5"], "Give one of them"),
        (["--start", "3", "--end", "2"], "is not after"),
        (["--start", "soon"], "is no time"),
        (["--baseline", "0"], "needs some seconds"),
        (["--blur-faces"], "--annotate and --report"),
        (["--raw"], "--csv and --json"),
        (["--resume"], "Name them as before"),
        (["--csv", "-", "--json", "-"], "both want stdout"),
        (["--vtt", "-"], "Give the others a file"),
        (["--csv", "a.csv", "--events", "a.csv"], "both write to"),
        (["--csv", "missing/a.csv"], "there is no folder"),
        (["--report", "."], "is a folder"),
    ],
)
def test_what_cannot_be_meant_is_refused(clip, arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert video(clip, *arguments) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_film_itself_is_never_written_over(clip, capsys):
    before = clip.read_bytes()
    assert video(clip, "--annotate", clip) == 2
    assert "itself" in capsys.readouterr().err
    assert clip.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"no film at all"])
def test_what_is_no_film_fails_and_leaves_nothing(content, tmp_path, capsys):
    (tmp_path / "no.mp4").write_bytes(content)
    assert video(tmp_path / "no.mp4", "--csv", tmp_path / "a.csv", "--report", tmp_path / "a.html") == 1
    assert "no.mp4" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["no.mp4"]


def test_an_annotation_that_cannot_be_written_is_refused_before_the_film_is_read(clip, tmp_path, capsys):
    detector = FakeDetector((BOX,))
    assert video(clip, "--annotate", tmp_path / "p.avi", "--csv", tmp_path / "a.csv", detector=detector) == 1
    assert ".webm" in capsys.readouterr().err
    assert detector.asked == []


# Stopping and going on


class Stopping(FakeDetector):
    """Ctrl-C while the nth frame is looked at."""

    def __init__(self, after: int) -> None:
        super().__init__((BOX,))
        self.after = after

    def detect(self, pixels, *, min_face=None):
        if len(self.asked) >= self.after:
            raise KeyboardInterrupt
        return super().detect(pixels, min_face=min_face)


def outputs(folder: Path) -> list:
    names = ("csv", "json", "events", "vtt", "report", "annotate")
    suffixes = ("csv", "jsonl", "e.csv", "vtt", "html", "webm")
    return [
        word for name, suffix in zip(names, suffixes, strict=True) for word in (f"--{name}", folder / f"o.{suffix}")
    ]


def test_ctrl_c_leaves_whole_files_and_resume_goes_on(clip, tmp_path, capsys):
    assert video(clip, *outputs(tmp_path), detector=Stopping(40)) == 130
    assert "--resume goes on" in capsys.readouterr().err
    # A few frames were on their way when it came.
    read = len(table(tmp_path / "o.csv"))
    assert 20 <= read < 80
    assert table(tmp_path / "o.e.csv")[0]["emotion"] == "happy"
    assert f"Stopped at {read / FPS:.1f} s" in (tmp_path / "o.html").read_text()
    with video_io.open_video(tmp_path / "o.webm") as painted:
        assert abs(sum(1 for _ in painted.frames()) - read) <= 2

    detector = FakeDetector((BOX,))
    assert video(clip, *outputs(tmp_path), "--resume", detector=detector) == 0
    assert len(detector.asked) <= 80 - read + going.OVERLAP_SECONDS * FPS + 1
    whole = tmp_path / "whole"
    whole.mkdir()
    assert video(clip, *outputs(whole)[:-2]) == 0
    for suffix in ("csv", "jsonl", "e.csv", "vtt", "html"):
        text = (tmp_path / f"o.{suffix}").read_text().replace("o.webm#", "clip.webm#")
        assert text == (whole / f"o.{suffix}").read_text(), suffix
    left = {path.name for path in tmp_path.iterdir()} - {path.name for path in whole.iterdir()}
    assert left == {"o.webm", "whole"}


SLOWLY = """
import sys, time
from command import with_fakes
from fakes import FakeDetector
from mien.apps.cli.command_line import run
from mien.results import Box

class Slow(FakeDetector):
    def detect(self, pixels, *, min_face=None):
        time.sleep(0.03)
        return super().detect(pixels, min_face=min_face)

sys.exit(run(sys.argv[1:], with_fakes(detector=Slow((Box(40, 30, 48, 48),)))))
"""


@unix
def test_a_killed_run_goes_on(clip, tmp_path):
    target = tmp_path / "a.csv"
    words = [
        sys.executable,
        "-c",
        SLOWLY,
        "video",
        str(clip),
        "--csv",
        str(target),
        "--report",
        str(tmp_path / "r.html"),
    ]
    running = subprocess.Popen(words, cwd=Path(__file__).parents[2], env=environment(), stderr=subprocess.DEVNULL)
    journal = tmp_path / "a.csv.mien-journal"
    until = time.monotonic() + 30
    while time.monotonic() < until and (not journal.exists() or journal.read_bytes().count(b"\n") < 30):
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    assert running.wait(10) == -signal.SIGKILL
    read = journal.read_bytes().count(b"\n") - 1
    assert 29 <= read < 80
    assert video(clip, "--csv", target, "--report", tmp_path / "r.html", "--resume") == 0
    assert video(clip, "--csv", tmp_path / "b.csv") == 0
    assert target.read_text() == (tmp_path / "b.csv").read_text()
    assert not journal.exists()


def test_a_run_does_not_go_on_in_another_way(clip, tmp_path, capsys):
    target = tmp_path / "a.csv"
    assert video(clip, "--csv", target, detector=Stopping(20)) == 130
    assert video(clip, "--csv", target, "--resume", "--every", 2) == 1
    assert "another choice of every" in capsys.readouterr().err
    assert video(clip, "--csv", target) == 0
    assert "It begins anew" in capsys.readouterr().err


def test_resume_without_a_stopped_run_begins_at_the_beginning(clip, tmp_path, capsys):
    assert video(clip, "--csv", tmp_path / "a.csv", "--resume") == 0
    assert "begins at the beginning" in capsys.readouterr().err
    assert len(table(tmp_path / "a.csv")) == 80


def test_a_baseline_stopped_while_learning_still_tells_what_was_read(clip, tmp_path):
    assert video(clip, "--csv", tmp_path / "a.csv", "--baseline", "median", detector=Stopping(30)) == 130
    assert 10 <= len(table(tmp_path / "a.csv")) < 80
    assert video(clip, "--csv", tmp_path / "a.csv", "--baseline", "median", "--resume") == 0
    assert len(table(tmp_path / "a.csv")) == 80


def test_people_keep_their_numbers_over_a_stop(clip, tmp_path):
    boxes = (BOX, Box(100, 60, 40, 40))
    engine = Engine(FakeClassifier(), FakeDetector(boxes))
    stopped = ResumableAnalysis(engine, AnalysisOptions(str(clip)), tmp_path / "j")
    moments = stopped.moments(False)
    before = [next(moments) for _ in range(40)]
    moments.close()
    # The tracker of a new run meets the two in another order, and numbers them the other way round.
    turned = Engine(FakeClassifier(), FakeDetector(boxes[::-1]))
    after = list(ResumableAnalysis(turned, AnalysisOptions(str(clip)), tmp_path / "j", resume=True).moments(False))
    assert [each.index for each in after] == list(range(80))
    assert after[:40] == before
    places = {(one.face.box.x > 90, one.track) for each in after for one in each}
    assert len(places) == 2


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions of Unix")
def test_a_full_disk_ends_the_run_with_a_sentence(clip, capsys):
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    assert mien("video", clip, "--json", "/dev/full", load=fakes()) == 1
    assert "could not be written" in capsys.readouterr().err


def test_labels_of_another_model_become_its_columns(clip, tmp_path):
    from fakes import fake_card

    own = with_fakes(
        classifier=FakeClassifier(fake_card(labels=("open", "closed"), vote_labels=())), detector=FakeDetector((BOX,))
    )
    assert mien("video", clip, "--csv", tmp_path / "a.csv", "--report", tmp_path / "r.html", load=own) == 0
    assert list(table(tmp_path / "a.csv")[0])[9:11] == ["open", "closed"]
    assert mien("video", clip, "--csv", tmp_path / "a.csv", "--baseline", "median", load=own) == 1
    assert set(EMOTIONS).isdisjoint(table(tmp_path / "a.csv")[0])
