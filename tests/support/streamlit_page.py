"""The Streamlit page for tests: in Streamlit's own AppTest, as a server, and in a browser; and training runs."""

from __future__ import annotations

import json
import re
import subprocess
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from browser import find_browser
from command import environment, start_process
from mien.evaluation.report import TABLE
from mien.labels import EMOTIONS
from mien.training import checkpoint, run_folder
from run_folders import write_run

EXAMPLES = Path(__file__).parents[2] / "examples"
PORTRAITS, ASTRONAUT, HOPPER, CLIP = (
    EXAMPLES / name for name in ("portraits.jpg", "astronaut.jpg", "hopper.jpg", "clip.webm")
)

#: Console lines that Streamlit itself causes: it looks for its server below the URL of a page before it looks at the
#: root, and gives its frames permissions that this browser does not know.
EXPECTED_LINES = re.compile(
    r"/(camera|video|explain|experiments|data|about)/_stcore/(health|host-config)|^Unrecognized feature: '|"
    "^An iframe which has both allow-scripts and allow-same-origin"
)

#: The keys of the session state for image results and for the report of a video.
RESULTS, VIDEO_REPORT = "image results", "video report"


# In Streamlit's own test


def create_page_test(first: str = "photo") -> Any:
    """The page as an ``AppTest`` that starts with one of its pages and has not been run yet."""
    from streamlit.testing.v1 import AppTest

    script = f"from mien.apps.streamlit.pages import show_page\nshow_page({first!r})\n"
    return AppTest.from_string(script, default_timeout=60)


def click(page: Any, label: str) -> Any:
    """Click the first button with this label, and run the page."""
    return next(button for button in page.button if button.label == label).click().run()


def read_in_test(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """The results of images: for each the dict of ``mien predict --json``, or an error."""
    page = create_page_test().run()
    page.file_uploader[0].set_value([(path.name, path.read_bytes(), "image/jpeg") for path in paths]).run()
    assert not page.exception
    return [image.result.to_dict() for image in page.session_state[RESULTS].values()]


def analyze_video_in_test(path: Path) -> tuple[str, str]:
    """The table of faces of a video, and the text of the page."""
    page = create_page_test("video").run()
    page.file_uploader[0].set_value((path.name, path.read_bytes(), "video/mp4")).run()
    click(page, "Analyse the video")
    assert not page.exception
    table = page.session_state[VIDEO_REPORT].files["faces.csv"].decode()
    return table, "\n".join(str(each.value) for each in page.markdown)


# As a server, and in a browser


@contextmanager
def serve_streamlit_page(*arguments: object, cwd: Path | None = None, **variables: str) -> Iterator[str]:
    """``mien streamlit`` as a process on a free port; gives its address."""
    options = {"env": environment(**variables), "stdout": subprocess.PIPE, "cwd": cwd}
    with start_process("streamlit", "--port", 0, *arguments, **options) as process:
        line = process.stdout.readline().decode()
        assert line.startswith("mien answers at http://"), line + process.stderr.read().decode()
        yield line.split()[-1]
        process.terminate()
        assert process.wait(20) == 0


@contextmanager
def open_in_browser(folder: Path) -> Iterator[Any]:
    """The page with the detector ``haar``, in a tab of a real browser."""
    from playwright.sync_api import sync_playwright

    server = serve_streamlit_page("--detector", "haar", cwd=folder, MIEN_HOME=str(folder / "home"))
    with server as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(base_url=address).new_page()
        page.set_default_timeout(60_000)
        yield page
        browser.close()


def upload_in_browser(page: Any, paths: Sequence[Path]) -> None:
    page.locator("[data-testid=stFileUploaderDropzoneInput]").set_input_files(list(paths))


def read_in_browser(page: Any, paths: Sequence[Path]) -> list[dict[str, Any]]:
    """The results of images, from the downloaded JSON."""
    page.goto("/")
    upload_in_browser(page, paths)
    with page.expect_download() as download:
        page.get_by_role("button", name="JSON").click()
    return list(json.loads(download.value.path().read_text("utf-8"))["images"])


def read_message_in_browser(page: Any, path: Path) -> str:
    """The message on the page for an image without a face."""
    page.goto("/")
    upload_in_browser(page, [path])
    return str(page.get_by_test_id("stAlert").inner_text())


def analyze_video_in_browser(page: Any, path: Path, folder: Path) -> dict[str, str]:
    """The text files of a video by name, from the downloaded archive ``video.zip`` in the folder."""
    page.goto("/video")
    upload_in_browser(page, [path])
    page.get_by_role("button", name="Analyse the video").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="All files (ZIP)").click()
    download.value.save_as(folder / "video.zip")
    with zipfile.ZipFile(folder / "video.zip") as archive:
        return {name: archive.read(name).decode() for name in archive.namelist() if not name.endswith(".webm")}


# Training runs


def write_finished_run(folder: Path, *, seed: int = 0, width: int = 32, accuracy: float = 0.6) -> Path:
    """A run with all the files of a finished training, with random results of about this accuracy on 700 faces."""
    write_run(folder, epochs=0)
    generator = np.random.default_rng(seed)
    recipe = checkpoint.read_recipe(folder)
    recipe = replace(
        recipe, net=replace(recipe.net, width=width), training=replace(recipe.training, epochs=30, seed=seed)
    )
    checkpoint.write_recipe(folder, recipe)
    history = [_history_row(epoch, accuracy, generator) for epoch in range(1, 31)]
    checkpoint.save_state(folder, [], recipe, history)
    labels = np.arange(700) % 7
    predictions = np.where(generator.random(700) < accuracy, labels, generator.integers(0, 7, 700))
    counts = np.zeros((7, 7), int)
    np.add.at(counts, (labels, predictions), 1)
    rows = [f"{EMOTIONS[label]},{EMOTIONS[prediction]}" for label, prediction in zip(labels, predictions, strict=True)]
    (folder / TABLE).write_text("\n".join(["label,prediction", *rows]) + "\n")
    (folder / run_folder.METRICS).write_text(json.dumps(_make_metrics(folder, counts, width)))
    return folder


def _history_row(epoch: int, accuracy: float, generator: np.random.Generator) -> dict[str, float]:
    progress = 1 - np.exp(-epoch / 7)
    return {
        "epoch": epoch,
        "learning_rate": 0.1,
        "loss": 0.5 + 1.4 * np.exp(-epoch / 8),
        "validation_loss": 0.8 + 1.1 * np.exp(-epoch / 6),
        "accuracy": 0.15 + accuracy * progress,
        "validation_accuracy": 0.15 + (accuracy - 0.1) * progress + generator.normal(0, 0.006),
        "seconds": 30.0,
    }


def _make_metrics(folder: Path, counts: np.ndarray, width: int) -> dict[str, Any]:
    accuracy = float(np.trace(counts) / counts.sum())
    model = {"name": folder.name, "parameters": 700 * width**2, "megabytes": width / 12, "milliseconds": width / 20}
    return {
        "model": {**model, "recipe": ""},
        "split": "public",
        "faces": int(counts.sum()),
        "fingerprint": "f" * 20,
        "labels": list(EMOTIONS),
        "confusion": counts.tolist(),
        "accuracy": accuracy,
        "balanced_accuracy": accuracy - 0.01,
        "ci95": [accuracy - 0.03, accuracy + 0.03],
        "ece": 0.03,
    }
