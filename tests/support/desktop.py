"""The desktop for tests: its real window on a screen, driven by keys, menus and answers to its questions."""

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

from screen import one_screen

#: Seconds for what should be quick; a test's machine is busy with others.
PATIENCE = 40.0


class Answers:
    """Stands where Tk's dialogs do: hands out ``place`` whatever it is asked for, and keeps what was asked."""

    def __init__(self) -> None:
        self.place: Any = ""
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def answer(**words: Any) -> Any:
            self.asked.append(words.get("initialfile") or words["title"])
            return self.place

        return answer


class Driven:
    """One open window. ``until`` lets Tk work until something is true, and fails when it does not come true."""

    def __init__(self, root: Any, window: Any, answers: Answers) -> None:
        self.root, self.window, self.desk, self.answers = root, window, window.desk, answers

    def until(self, true: Callable[[], Any], seconds: float = PATIENCE) -> bool:
        """Whether it came true; an AssertionError with what the window says where it did not."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, f"it did not come true; the status line says: {self.desk.ground.status}"
            self.root.update()
            time.sleep(0.002)
        self.root.update()
        return True

    def settle(self) -> None:
        """Until the worker has nothing to do, and all of it is seen."""
        self.root.update()
        self.until(lambda: self.desk.idle)
        for _ in range(3):
            self.root.update()

    def wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.root.update()
            time.sleep(0.002)

    def press(self, *keys: str) -> None:
        """Keys as Tk calls them: ``Control-o``, ``F11``, ``n``."""
        for key in keys:
            self.root.focus_force()
            self.root.update()
            self.root.event_generate(f"<{key}>" if len(key) > 1 else f"<Key-{key}>")
            self.root.update()

    def command(self, words: str) -> None:
        """A command of the menus, by its words."""
        [command] = [each for each in self.window.menus.commands if each.words == words]
        command.act()
        self.root.update()

    def says(self) -> str:
        """Every word that is to be seen."""
        self.root.update()
        return "\n".join(
            word for widget in everything(self.root) if widget.winfo_viewable() for word in words_of(widget)
        )

    def clipboard(self) -> str:
        return str(self.root.clipboard_get())


def everything(widget: Any) -> Iterator[Any]:
    yield widget
    for child in widget.winfo_children():
        yield from everything(child)


def words_of(widget: Any) -> Iterator[str]:
    kind = widget.winfo_class()
    if kind == "Canvas":
        shown = (item for item in widget.find_all() if widget.type(item) == "text")
        yield from (word for item in shown if (word := widget.itemcget(item, "text")))
    elif kind == "TCombobox":
        yield widget.get()
    elif kind in ("TLabel", "TButton", "TRadiobutton", "TCheckbutton", "TMenubutton"):
        yield str(widget.cget("text"))


@contextmanager
def opened(display: str, load: Any = None, device: Any = None, **settings: Any) -> Iterator[Driven]:
    """The window on this display, with the model loaded; everything is let go at the end, and no bug was met."""
    from mien.apps.cli.options import load_engine
    from mien.apps.desktop.application import Desk
    from mien.apps.desktop.live_window import collected_here, open_window
    from mien.apps.desktop.model_session import Choice
    from mien.apps.desktop.settings import Settings
    from mien.apps.desktop.window import Window

    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch, collected_here():
        patch.setenv("DISPLAY", display)
        # What is remembered is none of the tester's.
        patch.setenv("MIEN_HOME", home)
        root, answers = open_window(), Answers()
        desk = Desk(load or load_engine, Settings(**{"theme": "light", **settings}), Choice("base", "haar"), device)
        window = Window(root, desk, answers)
        driven = Driven(root, window, answers)
        try:
            root.geometry("+0+0")
            root.deiconify()
            root.update()
            window.begin()
            driven.settle()
            yield driven
        finally:
            window.close()
            bugs = window.bugs
            gc.disable()
            root.destroy()
            del root, window, desk, driven.root, driven.window, driven.desk
        if bugs:
            raise bugs[0]


@contextmanager
def as_others(folder: Path) -> Iterator[Any]:
    """What every window is asked: pictures, a film, and the words for a picture without a face."""
    with opened(one_screen()) as driven:

        def pictures(paths: list[Path]) -> list[dict[str, Any]]:
            driven.command("Close all pictures")
            driven.desk.open(paths)
            driven.settle()
            driven.command("Copy as JSON")
            return [json.loads(line) for line in driven.clipboard().splitlines()]

        def film(path: Path) -> str:
            driven.desk.open([path])
            driven.settle()
            driven.answers.place = str(folder / "faces.csv")
            driven.window.dialogs.save_film("faces")
            driven.settle()
            return (folder / "faces.csv").read_text("utf-8")

        def nothing(path: Path) -> str:
            pictures([path])
            driven.desk.show("photo")
            driven.wait(0.2)
            return driven.says()

        yield SimpleNamespace(pictures=pictures, film=film, nothing=nothing)
