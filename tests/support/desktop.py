"""The desktop application for tests: its real window on a screen, driven by keys, menus and answers to its dialogs."""

from __future__ import annotations

import gc
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from screen import shared_screen

#: Seconds to wait for a condition: the machine of a test runs other work too.
TIMEOUT = 40.0


def wait_until_idle(application: Any, seconds: float = TIMEOUT) -> Any:
    """Deliver the results of an application without a window until all work is done."""
    wait_until(lambda: application.idle, application.poll, seconds)
    return application


def wait_until(condition: Callable[[], Any], step: Callable[[], Any] | None = None, seconds: float = TIMEOUT) -> None:
    """Call ``step`` until the condition is true; fail after so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not become true in time"
        if step:
            step()
        time.sleep(0.002)


class FakeFileDialogs:
    """Stands in for :mod:`tkinter.filedialog`: every dialog returns ``answer``."""

    def __init__(self) -> None:
        self.answer: Any = ""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda **options: self.answer


class WindowDriver:
    """One open window, driven without Tk's main loop."""

    def __init__(self, root: Any, window: Any, dialogs: FakeFileDialogs) -> None:
        self.root, self.window, self.application, self.dialogs = root, window, window.application, dialogs

    def wait_until(self, condition: Callable[[], Any], seconds: float = TIMEOUT) -> bool:
        """Run Tk until the condition is true; fail with the status line after so many seconds."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"condition not met; status line: {self.application.state.status}"
            self.root.update()
            time.sleep(0.002)
        self.root.update()
        return True

    def wait_for_text(self, *texts: str) -> None:
        self.wait_until(lambda: all(text in self.visible_text() for text in texts))

    def settle(self) -> None:
        """Run Tk until the worker has nothing to do and its results are displayed."""
        self.root.update()
        self.wait_until(lambda: self.application.idle)
        for _ in range(3):
            self.root.update()

    def run_for(self, seconds: float) -> None:
        """Run Tk for a while, where nothing is to happen."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.root.update()
            time.sleep(0.002)

    def press(self, *keys: str) -> None:
        """Press keys by Tk's names: ``Control-o``, ``F11``, ``n``."""
        for key in keys:
            self.root.focus_force()
            self.root.update()
            self.root.event_generate(f"<{key}>" if len(key) > 1 else f"<Key-{key}>")
            self.root.update()

    def run_command(self, text: str) -> None:
        """Run a command of the menus by its text."""
        [command] = [command for command in self.window.menus.commands if command.text == text]
        command.run()
        self.root.update()

    def visible_text(self) -> str:
        """All visible words, a line for each widget."""
        self.root.update()
        widgets = (widget for widget in all_widgets(self.root) if widget.winfo_viewable())
        return "\n".join(text for widget in widgets for text in widget_texts(widget))

    def clipboard(self) -> str:
        return str(self.root.clipboard_get())


def all_widgets(widget: Any) -> Iterator[Any]:
    yield widget
    for child in widget.winfo_children():
        yield from all_widgets(child)


def widget_texts(widget: Any) -> Iterator[str]:
    kind = widget.winfo_class()
    if kind == "Canvas":
        items = (item for item in widget.find_all() if widget.type(item) == "text")
        yield from (text for item in items if (text := widget.itemcget(item, "text")))
    elif kind == "TCombobox":
        yield widget.get()
    elif kind in ("Label", "TLabel", "TButton", "TRadiobutton", "TCheckbutton", "TMenubutton"):
        yield str(widget.cget("text"))


@contextmanager
def open_window(display: str, load: Any = None, open_device: Any = None, **settings: Any) -> Iterator[WindowDriver]:
    """The window on this display with its model loaded. Closed at the end; unexpected errors in it are raised."""
    from mien.apps.cli.options import load_engine
    from mien.apps.desktop.application import DesktopApplication
    from mien.apps.desktop.main_loop import open_root, widget_cleanup
    from mien.apps.desktop.settings import DesktopSettings
    from mien.apps.desktop.state import ModelSelection
    from mien.apps.desktop.window import MainWindow

    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch, widget_cleanup():
        patch.setenv("DISPLAY", display)
        patch.setenv("MIEN_HOME", home)
        root, dialogs = open_root(), FakeFileDialogs()
        application = DesktopApplication(
            load or load_engine,
            DesktopSettings(**{"theme": "light", **settings}),
            ModelSelection("base", "haar"),
            open_device,
        )
        window = MainWindow(root, application, dialogs)
        driver = WindowDriver(root, window, dialogs)
        try:
            root.geometry("+0+0")
            root.deiconify()
            root.update()
            window.start()
            driver.settle()
            yield driver
        finally:
            window.close()
            bugs = window.bugs
            gc.disable()
            root.destroy()
            # Nothing may refer to widgets when they are freed.
            del root, window, application, driver.root, driver.window, driver.application
        if bugs:
            raise bugs[0]


@contextmanager
def open_for_comparison(folder: Path) -> Iterator[Any]:
    """The three questions that every window is asked: images, a video, and the text for an image without a face."""
    with open_window(shared_screen()) as driver:

        def images(paths: list[Path]) -> list[dict[str, Any]]:
            driver.run_command("Close all images")
            driver.application.open(paths)
            driver.settle()
            driver.run_command("Copy as JSON")
            return [json.loads(line) for line in driver.clipboard().splitlines()]

        def video(path: Path) -> str:
            driver.application.open([path])
            driver.settle()
            driver.dialogs.answer = str(folder / "faces.csv")
            driver.window.dialogs.save_video("faces")
            driver.settle()
            return (folder / "faces.csv").read_text("utf-8")

        def video_text(path: Path) -> str:
            video(path)
            driver.application.show_page("video")
            driver.settle()
            timeline = driver.window.pages["video"].timeline.canvas
            texts = [timeline.itemcget(item, "text") for item in timeline.find_all() if timeline.type(item) == "text"]
            return "\n".join([driver.visible_text(), *texts])

        def no_face_text(path: Path) -> str:
            images([path])
            driver.application.show_page("photo")
            driver.settle()
            return driver.visible_text()

        yield SimpleNamespace(images=images, video=video, video_text=video_text, no_face_text=no_face_text)
