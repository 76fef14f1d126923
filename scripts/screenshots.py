#!/usr/bin/env python
"""Make the pictures of the pages in docs/images again, in a real browser.

    python scripts/screenshots.py --yunet FILE              all
    python scripts/screenshots.py --yunet FILE web gradio   some: web, walkthrough, video, gradio, streamlit

The windows of the desktop application are not among them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES, IMAGES = ROOT / "examples", ROOT / "docs" / "images"
BACKGROUND = (233, 231, 226)
LARGE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="which pictures; all if there is none")
    parser.add_argument("--yunet", type=Path, required=True, help="YuNet's model file")
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        os.environ["MIEN_HOME"] = str(folder / "home")
        run_mien("models", "pull", "yunet", "--from", str(options.yunet.resolve()))
        camera = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
        film = f"--use-file-for-fake-video-capture={write_camera_film(folder / 'camera.y4m')}"
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu", *camera, film]
        )
        for part in options.parts or PARTS:
            PARTS[part](Camera(browser, folder))
            sys.stdout.write(f"{part}\n")
        browser.close()


def run_mien(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "mien", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def write_camera_film(path: Path) -> Path:
    """What the browser's fake camera shows: the two portraits."""
    still = ("-loop", "1", "-t", "2", "-i", str(EXAMPLES / "portraits.jpg"), "-pix_fmt", "yuv420p")
    subprocess.run(["ffmpeg", "-v", "error", "-y", *still, "-vf", "scale=640:320,pad=640:480:0:80", path], check=True)
    return path


class Camera:
    """Opens pages in the browser and takes pictures of them; ``folder`` is for temporary files."""

    def __init__(self, browser: Any, folder: Path) -> None:
        self._browser, self.folder = browser, folder
        self._number = 0

    @contextmanager
    def page(self, address: str, *, size: dict[str, int] = LARGE, dark: bool = False) -> Iterator[Any]:
        context = self._browser.new_context(viewport=size, color_scheme="dark" if dark else "light")
        page = context.new_page()
        page.goto(address)
        page.wait_for_timeout(1500)
        yield page
        context.close()

    def shoot(self, page: Any, *, full: bool = False) -> Image.Image:
        self._number += 1
        path = self.folder / f"{self._number}.png"
        page.wait_for_timeout(700)
        page.screenshot(path=path, full_page=full)
        return Image.open(path).convert("RGB")


@contextmanager
def serve(*arguments: str) -> Iterator[str]:
    """A server of mien; its address. The process ends with the block."""
    command = [sys.executable, "-m", "mien", *arguments, "--detector", "yunet"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{arguments[arguments.index('--port') + 1]}"
    try:
        wait_for(address)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def wait_for(address: str) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(address, timeout=2)
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise SystemExit(f"{address} does not answer")


def wait_for_text(page: Any, text: str) -> None:
    """Wait until the page shows this text."""
    page.wait_for_function("text => document.body.innerText.includes(text)", arg=text, timeout=60_000)


def compose(images: Sequence[Image.Image], height: int, gap: int = 24) -> Image.Image:
    """Pictures side by side at the same height."""
    scaled = [image.resize((round(image.width * height / image.height), height), Image.LANCZOS) for image in images]
    width = sum(image.width for image in scaled) + gap * (len(scaled) + 1)
    picture, left = Image.new("RGB", (width, height + 2 * gap), BACKGROUND), gap
    for image in scaled:
        picture.paste(image, (left, gap))
        left += image.width + gap
    return picture


def save(image: Image.Image, name: str, max_width: int = 1600) -> None:
    if image.width > max_width:
        image = image.resize((max_width, round(image.height * max_width / image.width)), Image.LANCZOS)
    image.save(IMAGES / name, quality=82, optimize=True)


def shoot_web(camera: Camera) -> None:
    with serve("serve", "--port", "8471") as address:
        with camera.page(address) as page:
            page.set_input_files("[data-file]", EXAMPLES / "portraits.jpg")
            wait_for_text(page, "happy")
            photo = camera.shoot(page)
        with camera.page(f"{address}/explain", dark=True) as page:
            page.set_input_files("[data-file]", EXAMPLES / "astronaut.jpg")
            wait_for_text(page, "Why it looks")
            page.wait_for_timeout(1500)
            explanation = camera.shoot(page)
        with camera.page(address, size=PHONE, dark=True) as page:
            start = camera.shoot(page)
        with camera.page(f"{address}/live", size=PHONE) as page:
            page.click("[data-start]")
            page.wait_for_selector(".lane")
            page.wait_for_timeout(4000)
            live = camera.shoot(page)
    save(compose([photo, explanation], 540), "web-photo.jpg")
    save(compose([start, live], 844), "web-phone.jpg")


def shoot_walkthrough(camera: Camera) -> None:
    run_mien(
        "explain", EXAMPLES / "astronaut.jpg", "-o", camera.folder / "pages", "--format", "html", "--detector", "yunet"
    )
    path = next((camera.folder / "pages").rglob("*.html"))
    pictures = []
    for size, dark, step in ((LARGE, False, 5), (PHONE, True, 13)):
        with camera.page(path.as_uri(), size=size, dark=dark) as page:
            for _ in range(step):
                page.keyboard.press("ArrowRight")
            pictures.append(camera.shoot(page))
    save(compose(pictures, 844), "walkthrough.jpg", 1400)


def shoot_video(camera: Camera) -> None:
    report = camera.folder / "report.html"
    annotated = camera.folder / "annotated.webm"
    run_mien("video", EXAMPLES / "clip.webm", "--report", report, "--annotate", annotated, "--detector", "yunet")
    with camera.page(report.as_uri()) as page:
        page.wait_for_timeout(1000)
        page.evaluate("document.querySelector('.peak')?.click()")
        picture = camera.shoot(page)
    with serve("serve", "--port", "8472") as address, camera.page(f"{address}/live", dark=True) as page:
        page.click("[data-start]")
        page.wait_for_selector(".lane")
        page.wait_for_timeout(6000)
        live = camera.shoot(page)
    save(compose([picture, live], 700), "video.jpg")


def shoot_gradio(camera: Camera) -> None:
    with serve("gradio", "--port", "8473") as address:
        for name, size in (("gradio-photo.jpg", {"width": 1200, "height": 1000}), ("gradio-phone.jpg", PHONE)):
            with camera.page(address, size=size) as page:
                page.wait_for_selector("text=Photo")
                page.set_input_files("#photo-input input[type=file]", EXAMPLES / "portraits.jpg")
                wait_for_text(page, "happy")
                page.wait_for_timeout(1500)
                save(camera.shoot(page, full=True), name)


def shoot_streamlit(camera: Camera) -> None:
    with serve("streamlit", "--port", "8474") as address:
        for name, size in (("streamlit-photo.jpg", LARGE), ("streamlit-phone.jpg", PHONE)):
            with camera.page(address, size=size) as page:
                page.wait_for_selector("[data-testid=stFileUploaderDropzoneInput]", state="attached")
                upload = page.locator("[data-testid=stFileUploaderDropzoneInput]")
                upload.set_input_files([EXAMPLES / "portraits.jpg"])
                wait_for_text(page, "happy")
                page.wait_for_timeout(2000)
                save(camera.shoot(page), name)


PARTS: dict[str, Callable[[Camera], None]] = {
    "web": shoot_web,
    "walkthrough": shoot_walkthrough,
    "video": shoot_video,
    "gradio": shoot_gradio,
    "streamlit": shoot_streamlit,
}

if __name__ == "__main__":
    main()
