"""``mien video``: output files, interruption and resuming, blurred faces, and wrong usage."""

import csv
import json
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

from analyzed_frames import DECIDE, make_frame, make_frames, make_reading, scores
from command import environment, mien, with_fakes
from fakes import FakeClassifier, FakeDetector, fake_card
from mien.labels import EMOTIONS
from mien.results import AnalyzedFrame, Box
from mien.video import open_video
from mien.video.analysis import STATE_SECONDS
from mien.video.annotate import FaceBlur, blur_faces
from mien.video.results import MAX_PEAKS, PeakImages, encode_peak
from mien.video.timeline import VideoSummary
from synthetic_video import BOX, FPS, HAPPY, synthetic_frame, write_synthetic_video
from video_files import two_faces, write_still_video


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """Four seconds: a happy face, then a sad one."""
    return write_synthetic_video(tmp_path_factory.mktemp("video") / "clip.webm")


def video(*arguments, detector=None) -> int:
    return mien("video", *arguments, load=with_fakes(detector=detector or FakeDetector((BOX,))))


def read_table(path) -> list[dict[str, str]]:
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


# Output files


@pytest.fixture(scope="module")
def outputs(clip, tmp_path_factory):
    """A folder with every output file of one run."""
    folder = tmp_path_factory.mktemp("outputs")
    assert video(clip, *output_options(folder), "--raw") == 0
    return folder


def output_options(folder: Path) -> list:
    suffixes = {
        "csv": "csv",
        "json": "jsonl",
        "events": "e.csv",
        "vtt": "vtt",
        "report": "html",
        "annotate": "webm",
    }
    return [word for option, suffix in suffixes.items() for word in (f"--{option}", folder / f"out.{suffix}")]


def test_table_has_a_row_for_each_face(outputs):
    rows = read_table(outputs / "out.csv")
    assert ",".join(rows[0]).startswith("frame,seconds,track,x,y,width,height,detection,emotion,angry,disgust")
    assert len(rows) == 80
    assert [rows[0]["emotion"], rows[-1]["emotion"]] == ["happy", "sad"]
    assert {row["track"] for row in rows} == {"1"}
    first_sad = next(float(row["seconds"]) for row in rows if row["emotion"] == "sad")
    assert 2.0 <= first_sad <= 2.2
    assert not list(outputs.glob("*journal*"))


def test_raw_scores_are_beside_the_smoothed_ones(outputs):
    row = read_table(outputs / "out.csv")[41]
    assert float(row["raw_sad"]) > float(row["sad"]) + 0.1
    lines = [json.loads(line) for line in (outputs / "out.jsonl").read_text().splitlines()]
    face = next(line for line in lines if line.get("frame") == 41)["faces"][0]
    assert face["raw"]["sad"] == pytest.approx(float(row["raw_sad"]), abs=1e-4)


def test_json_lines_are_video_frames_events_and_tracks(outputs, clip):
    lines = [json.loads(line) for line in (outputs / "out.jsonl").read_text().splitlines()]
    kinds = [line["kind"] for line in lines]
    assert (lines[0]["kind"], lines[0]["video"], lines[0]["size"]) == ("video", str(clip), [160, 120])
    assert lines[0]["fps"] == pytest.approx(FPS)
    assert kinds.count("frame") == 80
    happy, sad = (line for line in lines if line["kind"] == "event")
    assert (happy["emotion"], sad["emotion"]) == ("happy", "sad")
    [track] = (line for line in lines if line["kind"] == "track")
    assert track["judged_seconds"] == pytest.approx(4.0, abs=0.1)
    assert track["emotions"]["happy"] == pytest.approx(0.5, abs=0.05)


def test_events_are_a_table_and_subtitles(outputs):
    happy, sad = read_table(outputs / "out.e.csv")
    assert (happy["emotion"], sad["emotion"]) == ("happy", "sad")
    assert float(happy["end"]) == pytest.approx(2.1, abs=0.1)
    assert float(sad["end"]) == pytest.approx(4.0, abs=0.1)
    text = (outputs / "out.vtt").read_text()
    assert text.startswith("WEBVTT\n\n")
    assert re.search(r"\n00:00:00\.000 --> 00:00:02\.\d{3}\n<v Track 1>track 1 looks happy", text)


class ReportParser(HTMLParser):
    """Collects tags and attributes; the page has to close its elements."""

    VOID = ("meta", "link", "img", "input", "br", "path", "rect", "circle")

    def __init__(self, text):
        super().__init__()
        self.open_tags, self.tags, self.attributes = [], [], []
        self.feed(text)
        assert self.open_tags == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        self.open_tags += [tag] * (tag not in self.VOID)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open_tags.pop() == tag


def test_report_is_one_page_without_other_files(outputs):
    text = (outputs / "out.html").read_text()
    page = ReportParser(text)
    assert page.tags.count("section") == 1
    assert page.tags.count("video") == 1
    sources = [value for name, value in page.attributes if name in ("src", "href")]
    assert [value for value in sources if not value.startswith(("data:", "out.webm#t="))] == []
    assert "No person is identified or stored." in text
    assert "visible for 4.0 s" in text
    assert text.count("<img") == 2
    assert re.search(r"title='sad, 2\.\d s to 4\.0 s, peak \d\d", text)


def test_summary_is_printed_without_output_files(clip, capsys):
    assert video(clip) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("4.0 s, 80 frames, 1 track, 2 events")
    assert lines[1].startswith("track 1: visible for 4.0 s from 0.0 s, judged 100 %, looks happy 5")
    assert lines[2].startswith("track 1: happy from 0.0 to 2.0 s, peak 0.")


def test_video_without_faces_has_empty_outputs(clip, tmp_path, capsys):
    options = ["--csv", tmp_path / "a.csv", "--report", tmp_path / "a.html", "--vtt", tmp_path / "a.vtt"]
    assert video(clip, *options, detector=FakeDetector(())) == 0
    assert "no face found" in capsys.readouterr().out
    assert read_table(tmp_path / "a.csv") == []
    assert "No face was found" in (tmp_path / "a.html").read_text()


def test_frames_are_selected(clip, tmp_path):
    assert video(clip, "--csv", tmp_path / "a.csv", "--start", "0:01", "--end", "3", "--every", 2) == 0
    assert [int(row["frame"]) for row in read_table(tmp_path / "a.csv")] == list(range(20, 60, 2))


def test_baseline_makes_scores_relative_to_the_face_at_rest(clip, outputs, tmp_path):
    assert video(clip, "--csv", tmp_path / "a.csv", "--raw", "--baseline", "1") == 0
    plain, relative = read_table(outputs / "out.csv"), read_table(tmp_path / "a.csv")
    assert len(relative) == 80
    assert float(relative[10]["happy"]) < 0.6 * float(plain[10]["happy"])
    assert relative[10]["raw_happy"] == plain[0]["happy"]
    assert relative[70]["emotion"] == "sad"


def test_columns_are_the_labels_of_the_model(clip, tmp_path):
    card = fake_card(labels=("open", "closed"), vote_labels=())
    load = with_fakes(classifier=FakeClassifier(card), detector=FakeDetector((BOX,)))
    assert mien("video", clip, "--end", 1, "--csv", tmp_path / "a.csv", "--report", tmp_path / "r.html", load=load) == 0
    assert list(read_table(tmp_path / "a.csv")[0])[9:11] == ["open", "closed"]
    assert set(EMOTIONS).isdisjoint(read_table(tmp_path / "a.csv")[0])
    assert mien("video", clip, "--csv", tmp_path / "a.csv", "--baseline", "median", load=load) == 1


# Blurred faces


def test_blurred_faces_are_in_no_file(clip, tmp_path):
    options = ["--annotate", tmp_path / "blurred.webm", "--report", tmp_path / "report.html", "--blur-faces"]
    assert video(clip, *options) == 0
    original = inner_face(synthetic_frame(HAPPY))
    with open_video(tmp_path / "blurred.webm") as reader:
        frames = [inner_face(frame.pixels) for frame in reader.frames()]
    assert len(frames) >= 78
    assert original.std() > 40
    assert max(frame.std() for frame in frames) < original.std() / 2
    text = (tmp_path / "report.html").read_text()
    assert "clip.webm#" not in text
    assert "blurred.webm#t=" in text
    assert "blurred faces" in text


def inner_face(pixels):
    """The middle of the face, without its box and its label."""
    return pixels[44:72, 48:80].astype(float)


def test_face_is_blurred_before_it_is_detected_and_while_it_is_missed():
    blur, reading, frames = FaceBlur(), make_reading(scores(happy=0.8), box=BOX), []
    for index in range(60):
        readings = [reading] if index in (10, 20) else []
        frames += blur.step(make_frame(index, *readings, fps=FPS, pixels=synthetic_frame(HAPPY)))
    frames += blur.finish()
    assert [frame.index for frame in frames] == list(range(60))
    assert [frame.index for frame in frames if inner_face(frame.pixels).std() < 20] == list(range(1, 37))


def test_blurred_faces_with_different_details_are_nearly_equal():
    one, other = synthetic_frame(HAPPY, seed=1), synthetic_frame(HAPPY, seed=2)
    difference = np.abs(inner_face(one) - inner_face(other)).mean()
    assert difference > 20
    blurred = [inner_face(blur_faces(pixels, [BOX])) for pixels in (one, other)]
    assert np.abs(blurred[0] - blurred[1]).mean() < difference / 2
    assert blur_faces(one, []).tobytes() == one.tobytes()


def test_blurred_peak_image_has_no_details_in_its_corners():
    noise = np.random.default_rng(1).integers(0, 256, (96, 96, 3), np.uint8)
    jpeg = encode_peak(noise, Box(24, 24, 48, 48), blur=True)
    image = np.asarray(Image.open(BytesIO(jpeg)), np.float64)
    for corner in (image[:12, :12], image[:12, -12:], image[-12:, :12], image[-12:, -12:]):
        assert np.abs(np.diff(corner, axis=0)).max() < 12
        assert np.abs(np.diff(corner, axis=1)).max() < 12


def test_boxes_beyond_the_image_are_blurred_in_part():
    boxes = [Box(-20, -20, 60, 60), Box(150, 110, 50, 50), Box(500, 0, 9, 9)]
    assert blur_faces(synthetic_frame(HAPPY), boxes).shape == (120, 160, 3)


def test_highest_peaks_other_than_neutral_have_images():
    summary, peaks, pixels = VideoSummary(DECIDE), PeakImages(), synthetic_frame(HAPPY)
    parts = [(0.5, scores(**{label: 0.8})) for _ in range(4) for label in ("happy", "sad", "surprise", "neutral")]
    frames = (AnalyzedFrame(each.index, each.seconds, each.result, pixels=pixels) for each in make_frames(*parts))
    for smoothed in summary.process(frames):
        peaks.add(smoothed.frame, summary)
    summary.finish()
    images = peaks.images(summary.events)
    assert len(images) == MAX_PEAKS
    assert "neutral" not in {event.emotion for event in images}
    assert all(jpeg.startswith(b"\xff\xd8") for jpeg in images.values())


# Wrong usage


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--every", "2", "--fps", "5"], "Give one of them"),
        (["--start", "3", "--end", "2"], "is not after"),
        (["--start", "soon"], "is not a time"),
        (["--baseline", "0"], "more than 0 seconds"),
        (["--blur-faces"], "--annotate and --report"),
        (["--raw"], "--csv and --json"),
        (["--resume"], "Name them as before"),
        (["--csv", "-", "--json", "-"], "both write to stdout"),
        (["--vtt", "-"], "Give the others a file"),
        (["--csv", "a.csv", "--events", "a.csv"], "both write to"),
        (["--csv", "missing/a.csv"], "there is no folder"),
        (["--report", "."], "is a folder"),
    ],
)
def test_contradicting_options_are_refused(clip, arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert video(clip, *arguments) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_video_is_never_overwritten(clip, capsys):
    before = clip.read_bytes()
    assert video(clip, "--annotate", clip) == 2
    assert "itself" in capsys.readouterr().err
    assert clip.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"text and no video"])
def test_other_files_fail_without_outputs(content, tmp_path, capsys):
    (tmp_path / "text.mp4").write_bytes(content)
    assert video(tmp_path / "text.mp4", "--csv", tmp_path / "a.csv", "--report", tmp_path / "a.html") == 1
    assert "text.mp4" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["text.mp4"]


class UnusedDetector(FakeDetector):
    def detect(self, pixels, *, min_face=None):
        raise AssertionError("no frame is analysed")


def test_unsupported_format_is_refused_before_the_analysis(clip, tmp_path, capsys):
    options = ["--annotate", tmp_path / "annotated.avi", "--csv", tmp_path / "a.csv"]
    assert video(clip, *options, detector=UnusedDetector()) == 1
    assert ".webm" in capsys.readouterr().err


def test_full_disk_is_one_message(clip, capsys):
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    assert video(clip, "--json", "/dev/full") == 1
    assert "could not be written" in capsys.readouterr().err


# Interruption and resuming


class InterruptedDetector(FakeDetector):
    """Ctrl-C after some frames; ``count`` is the number of frames."""

    def __init__(self, after: int = sys.maxsize) -> None:
        super().__init__((BOX,))
        self.after, self.count = after, 0

    def detect(self, pixels, *, min_face=None):
        self.count += 1
        if self.count > self.after:
            raise KeyboardInterrupt
        return super().detect(pixels, min_face=min_face)


def test_interrupted_run_leaves_complete_files_and_is_resumed(clip, outputs, tmp_path, capsys):
    options = [*output_options(tmp_path), "--raw"]
    assert video(clip, *options, detector=InterruptedDetector(40)) == 130
    assert "--resume continues" in capsys.readouterr().err
    # Some frames before the interruption are lost in the queues.
    count = len(read_table(tmp_path / "out.csv"))
    assert 20 <= count < 80
    assert read_table(tmp_path / "out.e.csv")[0]["emotion"] == "happy"
    assert f"Stopped at {count / FPS:.1f} s" in (tmp_path / "out.html").read_text()
    with open_video(tmp_path / "out.webm") as reader:
        assert abs(sum(1 for _ in reader.frames()) - count) <= 2

    detector = InterruptedDetector()
    assert video(clip, *options, "--resume", detector=detector) == 0
    assert detector.count <= 80 - count + (STATE_SECONDS + 1) * FPS
    for suffix in ("csv", "jsonl", "e.csv", "vtt", "html"):
        assert (tmp_path / f"out.{suffix}").read_text() == (outputs / f"out.{suffix}").read_text(), suffix
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in outputs.iterdir()}


SLOW_PROGRAM = """
import sys, time
from command import with_fakes
from fakes import FakeDetector
from mien.apps.cli.command_line import run
from mien.results import Box

class SlowedDetector(FakeDetector):
    def detect(self, pixels, *, min_face=None):
        time.sleep(0.03)
        return super().detect(pixels, min_face=min_face)

sys.exit(run(sys.argv[1:], with_fakes(detector=SlowedDetector((Box(40, 30, 48, 48),)))))
"""


@pytest.mark.full
@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_killed_run_is_resumed(clip, tmp_path):
    table, journal = tmp_path / "a.csv", tmp_path / "a.csv.mien-journal"
    options = ["--csv", str(table), "--report", str(tmp_path / "report.html")]
    program = [sys.executable, "-c", SLOW_PROGRAM, "video", str(clip), *options]
    support = Path(__file__).parents[2] / "support"
    running = subprocess.Popen(program, env=environment(PYTHONPATH=str(support)), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while (
        running.poll() is None
        and time.monotonic() < deadline
        and (not journal.exists() or journal.read_bytes().count(b"\n") < 30)
    ):
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    assert running.wait(10) == -signal.SIGKILL
    assert 29 <= journal.read_bytes().count(b"\n") - 1 < 80
    assert video(clip, *options, "--resume") == 0
    assert video(clip, "--csv", tmp_path / "b.csv") == 0
    assert table.read_text() == (tmp_path / "b.csv").read_text()
    assert not journal.exists()


def test_run_is_not_resumed_with_other_options(clip, tmp_path, capsys):
    table = tmp_path / "a.csv"
    assert video(clip, "--csv", table, detector=InterruptedDetector(20)) == 130
    assert video(clip, "--csv", table, "--resume", "--every", 2) == 1
    assert "a different every" in capsys.readouterr().err
    assert video(clip, "--csv", table) == 0
    assert "This run starts again" in capsys.readouterr().err


def test_resume_without_an_interrupted_run_starts_at_the_beginning(clip, tmp_path, capsys):
    assert video(clip, "--csv", tmp_path / "a.csv", "--resume") == 0
    assert "starts at the beginning" in capsys.readouterr().err
    assert len(read_table(tmp_path / "a.csv")) == 80


def test_run_interrupted_while_measuring_a_baseline_writes_its_frames(clip, tmp_path):
    options = ["--csv", tmp_path / "a.csv", "--baseline", "median"]
    assert video(clip, *options, detector=InterruptedDetector(30)) == 130
    assert 10 <= len(read_table(tmp_path / "a.csv")) < 80
    assert video(clip, *options, "--resume") == 0
    assert len(read_table(tmp_path / "a.csv")) == 80


FULL_DISK = """
import resource, signal, sys
from mien.apps.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
main(sys.argv[1:])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the limit stands for a full disk")
@pytest.mark.parametrize(
    "options", [("--csv", "out.csv"), ("--annotate", "out.webm"), ("--annotate", "o.webm", "--csv", "o.csv")]
)
def test_a_full_disk_leaves_no_hidden_file(tmp_path, options):
    clip = write_still_video(tmp_path / "clip.webm", two_faces(), 4.0)
    folder = tmp_path / "out"
    folder.mkdir()
    program = [sys.executable, "-c", FULL_DISK, "video", str(clip), *options]
    result = subprocess.run(program, cwd=folder, capture_output=True, text=True, check=False, env=environment())
    assert result.returncode == 1
    assert "cannot be written" in result.stderr or "could not be written" in result.stderr
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
