"""What the tests of the Streamlit page share: the page on a real port, ways to drive it, and runs to look at."""

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

from browser import browser_file
from command import environment, started
from made_runs import made_run
from mien.labels import EMOTIONS
from mien.training import checkpoint, run_folder

EXAMPLES = Path(__file__).parents[2] / "examples"
PORTRAITS, ASTRONAUT, HOPPER, CLIP = (
    EXAMPLES / name for name in ("portraits.jpg", "astronaut.jpg", "hopper.jpg", "clip.webm")
)

#: Complaints of Chromium about Streamlit's own ways: it looks for its server below a page's address before it looks at
#: the root, and gives its frames leave for things of which this browser has never heard.
OWN = re.compile(
    r"/(camera|video|inside|experiments|data|about)/_stcore/(health|host-config)|^Unrecognized feature: '|"
    "^An iframe which has both allow-scripts and allow-same-origin"
)


@contextmanager
def serving(*arguments: object, cwd: Path | None = None, **variables: str) -> Iterator[str]:
    """``mien streamlit`` as a process of its own, on a free port; its address."""
    own = environment(**variables)
    with started("streamlit", "--port", 0, *arguments, env=own, stdout=subprocess.PIPE, cwd=cwd) as process:
        line = process.stdout.readline().decode()
        assert line.startswith("mien answers at http://"), line + process.stderr.read().decode()
        yield line.split()[-1]
        process.terminate()
        assert process.wait(20) == 0


@contextmanager
def opened(folder: Path) -> Iterator[Any]:
    """The page, with ``haar``, in a tab of a real browser."""
    from playwright.sync_api import sync_playwright

    with serving("--detector", "haar", cwd=folder, MIEN_HOME=str(folder / "home")) as address, sync_playwright() as own:
        browser = own.chromium.launch(executable_path=browser_file(), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(base_url=address).new_page()
        page.set_default_timeout(60_000)
        yield page
        browser.close()


def page_test(first: str = "photo") -> Any:
    """The page in Streamlit's own test, beginning with one of its pages; nothing was run yet."""
    from streamlit.testing.v1 import AppTest

    script = f"from mien.apps.streamlit.layout import show_page\nshow_page({first!r})\n"
    return AppTest.from_string(script, default_timeout=60)


def read_in_test(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """What the page makes of pictures in Streamlit's own test: of each the dict of ``predict --json``, or an error."""
    page = page_test().run()
    page.file_uploader[0].set_value([(path.name, path.read_bytes(), "image/jpeg") for path in paths]).run()
    assert not page.exception
    return [one.result.to_dict() for one in page.session_state["what was read"].values()]


def film_in_test(path: Path) -> str:
    """The table of faces that the page makes of a film, in Streamlit's own test."""
    page = page_test("video").run()
    page.file_uploader[0].set_value((path.name, path.read_bytes(), "video/mp4")).run()
    next(button for button in page.button if button.label == "Read the film").click().run()
    assert not page.exception
    return str(page.session_state["film that was read"].files["faces.csv"].decode())


def nothing_driven(page: Any, path: Path) -> str:
    """What the page says of a picture without a face."""
    page.goto("/")
    send(page, [path])
    return str(page.get_by_test_id("stAlert").inner_text())


def driven(page: Any, paths: Sequence[Path]) -> list[dict[str, Any]]:
    """The same from the page in a real browser, through what it hands out to be saved."""
    page.goto("/")
    send(page, paths)
    with page.expect_download() as saved:
        page.get_by_role("button", name="JSON").click()
    return list(json.loads(saved.value.path().read_text("utf-8"))["pictures"])


def film_driven(page: Any, path: Path, folder: Path) -> dict[str, str]:
    """The tables that the page in a real browser makes of a film, by name."""
    page.goto("/video")
    send(page, [path])
    page.get_by_role("button", name="Read the film").click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="All of it (ZIP)").click()
    saved.value.save_as(folder / "film.zip")
    with zipfile.ZipFile(folder / "film.zip") as archive:
        return {name: archive.read(name).decode() for name in archive.namelist() if not name.endswith(".webm")}


def send(page: Any, paths: Sequence[Path]) -> None:
    """Choose files in the page's place for them."""
    page.locator("[data-testid=stFileUploaderDropzoneInput]").set_input_files(list(paths))


def finished_run(folder: Path, *, seed: int = 0, width: int = 32, right: float = 0.6) -> Path:
    """A run with all the figures of a finished training, made up: of 700 faces about ``right`` are right."""
    made_run(folder, epochs=0)
    chance = np.random.default_rng(seed)
    recipe = checkpoint.read_recipe(folder)
    recipe = replace(
        recipe, net=replace(recipe.net, width=width), training=replace(recipe.training, epochs=30, seed=seed)
    )
    checkpoint.write_recipe(folder, recipe)
    checkpoint.save_state(folder, [], recipe, [_epoch(each, right, chance) for each in range(1, 31)])
    answers = np.where(chance.random(700) < right, np.arange(700) % 7, chance.integers(0, 7, 700))
    counts = np.zeros((7, 7), int)
    np.add.at(counts, (np.arange(700) % 7, answers), 1)
    rows = [f"{EMOTIONS[place % 7]},{EMOTIONS[answer]}" for place, answer in enumerate(answers)]
    (folder / run_folder.ANSWERS).write_text("\n".join(["label,answer", *rows]) + "\n")
    (folder / run_folder.METRICS).write_text(json.dumps(_metrics(folder, counts, width)))
    return folder


def _epoch(epoch: int, right: float, chance: np.random.Generator) -> dict[str, float]:
    """A row of a history that rises as histories do."""
    risen = 1 - np.exp(-epoch / 7)
    held_out = 0.15 + (right - 0.1) * risen + chance.normal(0, 0.006)
    shares = {"accuracy": 0.15 + right * risen, "held_out": held_out}
    losses = {"loss": 0.5 + 1.4 * np.exp(-epoch / 8), "held_out_loss": 0.8 + 1.1 * np.exp(-epoch / 6)}
    return {"epoch": epoch, "rate": 0.1, **losses, **shares, "seconds": 30.0}


def _metrics(folder: Path, counts: np.ndarray, width: int) -> dict[str, Any]:
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
