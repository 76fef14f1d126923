"""The Gradio page without a server: its endpoints, its limits, and what becomes of videos."""

import asyncio
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio")

import gradio as gr

from fakes import FakeClassifier, FakeDetector, fake_card
from mien import Engine, text
from mien.apps.gradio import build_page, page_style, results
from mien.apps.gradio.api import Api
from mien.apps.gradio.page import build_head, build_theme
from mien.apps.gradio.uploads import SentFile, reject_urls
from mien.apps.gradio.video import TrackScores, run_video_job
from mien.apps.session.engines import EngineCache
from mien.errors import SourceError
from mien.html import style_colours
from video_files import EXAMPLES, two_faces, write_still_video

PORTRAITS = EXAMPLES / "portraits.jpg"


@pytest.fixture(autouse=True, scope="module")
def close_event_loops():
    """Gradio creates event loops for the locks of a page, and never closes them."""
    loops, create = [], asyncio.new_event_loop

    def record():
        loops.append(create())
        return loops[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "new_event_loop", record)
        yield
    for loop in loops:
        loop.close()


@pytest.fixture(scope="module")
def engine():
    return Engine.load(detector="haar")


@pytest.fixture
def uploads(tmp_path, monkeypatch):
    """Gradio's folder of uploads: copies a file there, and gives the value of a component for it."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))

    def upload(path):
        target = folder / path.name
        target.write_bytes(path.read_bytes())
        return {"path": str(target), "orig_name": path.name, "meta": {"_type": "gradio.FileData"}}

    return upload


@pytest.fixture
def api(engine, uploads):
    with gr.Blocks():
        yield Api(EngineCache(engine), {}, {})


def error_of(function, *arguments, **options):
    with pytest.raises(gr.Error) as raised:
        function(*arguments, **options)
    return raised.value.message


# Endpoints


def test_read_answers_like_the_command_line(api, uploads, engine):
    answer = api.read(uploads(PORTRAITS))
    assert answer == replace(engine.read(PORTRAITS), source="portraits.jpg").to_dict()
    assert len(answer["faces"]) == 2


def test_read_takes_the_smallest_face_size(api, uploads):
    assert api.read(uploads(PORTRAITS), min_face=4000)["faces"] == []
    assert "'min_face' is 0" in error_of(api.read, uploads(PORTRAITS), min_face=0)


def test_read_reports_damaged_and_too_large_files(api, uploads, tmp_path):
    (tmp_path / "broken.jpg").write_text("This is not a picture.")
    (tmp_path / "large.png").write_bytes(bytes(21_000_000))
    assert error_of(api.read, uploads(tmp_path / "broken.jpg")).startswith("'broken.jpg' is text")
    assert "'large.png' is a file of 21 MB" in error_of(api.read, uploads(tmp_path / "large.png"))
    assert "There is no file" in error_of(api.read, None)


def test_an_unknown_model_is_reported_with_the_available_ones(api, uploads):
    message = error_of(api.read, uploads(PORTRAITS), model="bsae")
    assert message.startswith("There is no model 'bsae' here. Expected one of base")


def test_only_uploaded_files_are_opened(api, uploads, tmp_path):
    private = tmp_path / "private.jpg"
    private.write_bytes(PORTRAITS.read_bytes())
    link = Path(uploads(PORTRAITS)["path"]).with_name("link.jpg")
    link.symlink_to(private)
    paths = [
        str(private),
        str(link),
        f"{link.parent}/../private.jpg",
        str(link.parent),
        "/dev/zero",
        "a\0b",
        "n" * 5000,
    ]
    messages = {error_of(api.read, {"path": path}) for path in paths}
    assert messages == {"That file is not among the uploaded ones, or no longer. Upload it again."}


def test_urls_are_rejected_before_gradio_downloads_them():
    file = {"path": "http://127.0.0.1/photo.jpg", "meta": {"_type": "gradio.FileData"}}
    assert "URLs are not opened here" in error_of(reject_urls, [file, None, ""])


def test_explain_answers_like_the_library(api, uploads, engine):
    answer = api.explain(uploads(PORTRAITS), face=2, target="happy", versus="sad")
    (expected,) = engine.explain_image(PORTRAITS, 2, methods=("cam",), target="happy", versus="sad")
    assert answer["faces"] == [{**expected.to_dict(), "source": "portraits.jpg"}]
    assert answer["size"] == [960, 480]
    assert "no face number 9" in error_of(api.explain, uploads(PORTRAITS), face=9)
    assert error_of(api.explain, uploads(PORTRAITS), method="magic").startswith("There is no method 'magic'")


def test_analyze_video_returns_a_summary_and_files(api, uploads, tmp_path):
    video = write_still_video(tmp_path / "clip.mp4", two_faces(), 0.4)
    facts, files = api.analyze_video(uploads(video), fps=5, blur=True)
    assert (facts["source"], facts["detector"], facts["model"]) == ("clip.mp4", "haar", "base")
    assert len(facts["summary"]["tracks"]) == 2
    names = {Path(file).name for file in files}
    assert names == {"report.html", "faces.csv", "events.csv", "subtitles.vtt", "timeline.json", "annotated.webm"}
    assert "'fps' is 0" in error_of(api.analyze_video, uploads(video), fps=0)


def test_errors_of_videos_do_not_contain_server_paths(api, uploads, tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    message = error_of(api.analyze_video, uploads(tmp_path / "text.mp4"))
    assert "text.mp4" in message
    assert str(tmp_path) not in message


# Videos


@pytest.fixture
def component(tmp_path):
    """A component of Gradio, as far as a video job needs one."""
    return SimpleNamespace(GRADIO_CACHE=str(tmp_path / "cache"), temp_files=set())


def test_files_of_a_finished_video_are_registered_for_removal(engine, component, tmp_path):
    video = write_still_video(tmp_path / "clip.mp4", two_faces(), 0.4)
    with run_video_job(engine, SentFile(video, "clip.mp4"), 5, False, component) as job:
        job.join()
    assert {Path(file).name for file in component.temp_files} == set(job.files) > {"annotated.webm", "report.html"}
    stored = {str(path) for path in Path(component.GRADIO_CACHE).rglob("*.*") if path.is_file()}
    assert stored == component.temp_files


class EndlessDetector(FakeDetector):
    """Waits in its first call until the test goes on."""

    def __init__(self):
        super().__init__()
        self.entered, self.proceed = threading.Event(), threading.Event()

    def detect(self, pixels, *, min_face=None):
        self.entered.set()
        assert self.proceed.wait(20)
        return super().detect(pixels, min_face=min_face)


def test_a_cancelled_video_leaves_no_files(component, tmp_path):
    video = write_still_video(tmp_path / "clip.mp4", two_faces(), 0.4)
    detector = EndlessDetector()
    with run_video_job(Engine(FakeClassifier(), detector), SentFile(video, "clip.mp4"), 5, False, component) as job:
        assert detector.entered.wait(20)
        job.cancel()
        detector.proceed.set()
    assert list(Path(component.GRADIO_CACHE).iterdir()) == []
    assert component.temp_files == set()


def test_an_empty_video_leaves_no_folder(engine, component, tmp_path):
    (tmp_path / "empty.mp4").touch()
    job = run_video_job(engine, SentFile(tmp_path / "empty.mp4", "empty.mp4"), 5, False, component)
    with pytest.raises(SourceError, match="is empty"), job:
        pass
    assert not Path(component.GRADIO_CACHE).exists()


def test_track_scores_of_a_long_video_are_thinned_evenly():
    track_scores, scores = TrackScores(), {"happy": 0.25, "sad": 0.75}
    for frame in range(6000):
        for track in range(9):
            # The last three tracks are replaced by new ones every 40 frames.
            track_scores.add(track if track < 6 else 10 * (frame // 40) + track, frame / 25, scores)
        assert len(track_scores) <= 20_001
    for track in (0, 5):
        points = list(track_scores.points(track))
        times = [seconds for seconds, _ in points]
        assert 100 < len(points) <= 400
        assert (times[0], times[-1] > 235) == (0, True)
        assert np.ptp(np.diff(times)) < 1e-6
        assert points[-1][1] == scores
    assert all(list(track_scores.points(10 * part + 8)) for part in range(150))
    assert list(track_scores.points(None)) == list(track_scores.points(99_999)) == []


# The page


def test_the_page_has_three_public_endpoints_and_the_models_of_its_engine():
    card = fake_card(labels=("happy", 'so-so "quoted" </style>', "sad"), vote_labels=())
    page = build_page(Engine(FakeClassifier(card), FakeDetector()))
    public = {function.api_name for function in page.fns.values() if function.api_visibility == "public"}
    assert public == {"read", "explain", "analyze_video"}
    assert page.labels == card.labels
    assert build_head(page.labels).count("</style>") == 1


def test_theme_and_style_come_from_the_common_style_sheet():
    assert build_theme().body_text_color == style_colours()["ink"]
    assert build_theme().body_text_color_dark == style_colours(dark=True)["ink"]
    assert set(page_style()) == {"theme", "head"}


def test_readings_are_described_without_html_from_labels(engine):
    result = engine.read(PORTRAITS)
    description = results.describe_reading(result.readings[0], 1)
    assert description.startswith(f"### Face 1 {text.format_headline(result.readings[0])}")
    pixels = np.array(Image.open(PORTRAITS).convert("RGB"))
    (image, layers), colours = results.annotate_layers(pixels, result)
    assert [title for _, title in layers] == list(colours) == ["1", "2"]
    assert image.shape == pixels.shape
    assert "&lt;b&gt;" in results.render_legend({"<b>": "#000000"})
