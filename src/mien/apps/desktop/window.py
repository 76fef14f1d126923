"""The window: it shows the desk, hears of changes, and can be built anew at any time."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from time import monotonic
from tkinter import filedialog, ttk
from types import TracebackType
from typing import Any

from mien.apps.desktop import drag_and_drop, style, system_settings
from mien.apps.desktop.annotated_image import Viewing
from mien.apps.desktop.application import Desk
from mien.apps.desktop.commands import Menus
from mien.apps.desktop.dialogs import Dialogs
from mien.apps.desktop.garbage_collection import Tidy
from mien.apps.desktop.layout import Foot, Rail
from mien.apps.desktop.style import Theme
from mien.apps.desktop.widgets import Scrolled
from mien.apps.desktop.worker import bug
from mien.errors import MienError

#: Milliseconds until the desk is asked again, while there is something to hear and while there is not.
_QUICK, _QUIET = 8, 25

#: Seconds for which the system's wish for light or dark is not asked for again.
_ASKED = 20.0

#: The most errors that are kept: each holds what its callers had in hand, and the same one may come every moment.
_BUGS = 20

#: The window's size to begin with, and the least it can have.
_SIZE, _LEAST = (1180, 780), (720, 520)


class Window:
    """One window of the desktop. ``bugs`` are errors that nobody foresaw: shown, and raised when the window closes."""

    def __init__(self, root: tk.Tk, desk: Desk, asks: Any = filedialog) -> None:
        self.root, self.desk = root, desk
        self.bugs: list[BaseException] = []
        self.viewing = Viewing(desk.ground, desk.album)
        self.dialogs, self.on_a_mac = Dialogs(self, asks), system_settings.modifier() == "Command"
        self.menus = Menus(self)
        self.drops = drag_and_drop.accept(root, desk.open)
        self._tidy = Tidy()
        self.pages: dict[str, Any] = {}
        self._body: ttk.Frame | None = None
        self._asking: Any = None
        self._asked = -_ASKED
        root.title("mien")
        root.report_callback_exception = self.report
        root.protocol("WM_DELETE_WINDOW", self.quit)
        self.theme = Theme(root, desk.ground.settings)
        width, height = (self.theme.long(each) for each in _SIZE)
        width, height = min(width, root.winfo_screenwidth()), min(height, root.winfo_screenheight() - 60)
        root.geometry(f"{width}x{height}")
        root.minsize(*_LEAST)
        self._build()
        self._job = root.after(_QUICK, self._poll)

    def begin(self, paths: Sequence[Path] = ()) -> None:
        """The window is there: load what is heavy, open what was asked for, ask how the system likes its windows."""
        self.desk.warm()
        if paths:
            self.desk.open(paths)
        self.desk.shelf.look()
        self._ask_liking()
        self.root.bind("<FocusIn>", self._ask_liking)

    # What its parts ask for

    def drop_words(self, what: str) -> str:
        """How to bring something here, with what this installation can."""
        paste = "⌘V" if self.on_a_mac else "Ctrl+V"
        return f"Drop {what} here, or paste with {paste}." if self.drops else f"Choose {what}, or paste with {paste}."

    def copy(self, kind: str) -> None:
        """What was read goes to the clipboard."""
        if not self.desk.album.outcomes():
            self.desk.ground.say("Open a picture first: there is nothing to copy yet.")
            return
        self.root.clipboard_clear()
        self.root.clipboard_append(self.desk.as_json() if kind == "json" else self.desk.as_csv())
        self.desk.ground.say("Copied what was read of all pictures.")

    def paste(self) -> None:
        match drag_and_drop.pasted(self.root):
            case bytes() as data:
                self.desk.show("photo")
                self.desk.album.take(data, "pasted picture")
            case list() as paths:
                self.desk.open(paths)
            case None:
                self.desk.ground.say("The clipboard holds no picture and no file.")

    def press(self, key: str) -> None:
        """A key that means something to the page that is shown."""
        if self.desk.page == "camera" and "camera" in self.pages:
            self.pages["camera"].press(key)
        elif self.desk.page == "video" and key == "space":
            self.pages["video"].toggle()

    def turn(self, by: int) -> None:
        """The next picture, or the one before; on other pages, further down or up."""
        album = self.desk.album
        if self.desk.page == "photo":
            album.go(album.place + by)
            return
        for around in _scrolled(self.pages[self.desk.page]):
            around.page(by)
            return

    def switch_camera(self) -> None:
        """Go to the camera's page, which says what is to be known first; from there it starts, and stops."""
        if self.desk.camera.stage == "on":
            self.desk.camera.stop()
        elif self.desk.page == "camera":
            self.pages["camera"].start()
        else:
            self.desk.show("camera")

    def enlarge(self, by: int) -> None:
        ground = self.desk.ground
        ground.change(text=ground.settings.larger(by).text)

    def fill_screen(self) -> None:
        self.root.attributes("-fullscreen", not self.root.attributes("-fullscreen"))

    def move_inside(self, moving: bool) -> None:
        """Look into the camera's face instead of the picture's, or the other way round."""
        self.desk.inside.moving = moving
        self._attend()
        self.desk.ground.bells.ring("inside")
        if not moving:
            self.desk.inside.ask()

    def progress(self) -> float | None:
        """How far what goes on is, 0 to 1; None where nothing does."""
        desk, film = self.desk, self.desk.film
        if not desk.ground.busy:
            return None
        if film.stage == "reading" and film.seconds:
            return min(film.course.end / film.seconds, 1.0)
        many = len(desk.album.shots)
        return desk.album.done / many if many else 0.0

    def quit(self) -> None:
        self.root.quit()

    def close(self) -> None:
        """Let everything go; the window itself is its owner's to destroy."""
        with suppress(tk.TclError):
            self.root.after_cancel(self._job)
        if self._asking is not None:
            self._asking.close()
            self._asking = None
        self.desk.close()
        self._tidy.close()

    # How it is built

    def _build(self) -> None:
        """Make every view anew: the desk stays as it is."""
        desk = self.desk
        if self._body is not None:
            self._body.destroy()
        self.pages = {}
        desk.ground.bells.silence()
        desk.attach()
        self.viewing.forget()
        settings = desk.ground.settings
        self._look = settings.shows_dark, settings.text
        self.theme = Theme(self.root, settings, self.theme)
        self.style = style.apply(self.theme)
        self.root.configure(background=self.theme.shades.ground)
        self._body = body = ttk.Frame(self.root)
        body.pack(fill="both", expand=True)
        body.columnconfigure(1, weight=1)
        body.rowconfigure(0, weight=1)
        Rail(body, self).grid(row=0, column=0, sticky="ns")
        self._place = ttk.Frame(body)
        self._place.grid(row=0, column=1, sticky="nsew")
        self._place.columnconfigure(0, weight=1)
        self._place.rowconfigure(0, weight=1)
        Foot(body, self).grid(row=1, column=0, columnspan=2, sticky="ew")
        self.menus.attach()
        bells = desk.ground.bells
        bells.hear("page", self._show)
        bells.hear("settings", self._restyle)
        bells.hear("camera", self._attend)
        bells.hear("card", self._named)
        self._show()

    def _named(self) -> None:
        """The model is there, and with it all that is heavy: the window gets its icon."""
        self.root.iconphoto(True, self.theme.face("happy", 64))  # type: ignore[arg-type]
        self._tidy.settle()

    def _restyle(self) -> None:
        self.root.after_idle(self._anew)

    def _anew(self) -> None:
        """The look was changed; whoever has the keyboard keeps it only by its page."""
        settings = self.desk.ground.settings
        if self._look != (settings.shows_dark, settings.text):
            self._build()

    def _show(self) -> None:
        """The page that is meant, made when it is first shown."""
        page = self.desk.page
        if page not in self.pages:
            self.pages[page] = import_module(f"mien.apps.desktop.{page}").Page(self._place, self)
        for name, each in self.pages.items():
            if name != page:
                each.grid_forget()
        self.pages[page].grid(row=0, column=0, sticky="nsew")
        self._attend()

    # Looking inside with the camera

    def _attend(self) -> None:
        """Look into the camera's face while somebody looks at that, and only then."""
        desk = self.desk
        watching, engine = desk.camera.watching, desk.camera.engine
        if watching is None:
            desk.inside.moving = False
        wanted = desk.page == "inside" and desk.inside.moving and watching is not None
        if wanted and self._asking is None and watching is not None and engine is not None:
            from mien.apps.desktop.live_explanation import Moving

            self._asking = Moving(engine, watching, desk.inside)
        elif not wanted and self._asking is not None:
            self._asking.close()
            self._asking = None

    def _poll(self) -> None:
        """Ask the desk, and again a little later whatever comes of it: a window that stops asking hears nothing."""
        quick = True
        try:
            quick = self._hear()
        finally:
            self._job = self.root.after(_QUICK if quick else _QUIET, self._poll)

    def _hear(self) -> bool:
        """What there is to hear. Will there soon be more?"""
        any_news = self.desk.poll()
        if self._asking is not None:
            watching = self.desk.camera.watching
            if watching is not None and watching.over:
                self.desk.camera.over()
            elif (insight := self._asking.newest()) is not None and "inside" in self.pages:
                self.pages["inside"].insight(insight)
        self._tidy.step()
        return any_news or self._asking is not None

    def _ask_liking(self, _event: object = None) -> None:
        """How does the system like its windows? Its person may have changed it while another window was in front."""
        if monotonic() - self._asked > _ASKED:
            self._asked = monotonic()
            self.desk.ground.do(_liking(), self._liked)

    def _liked(self, dark: bool) -> None:
        if dark != self.desk.ground.settings.dark:
            self.desk.ground.change(dark=dark)

    def report(self, _kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        """What nobody foresaw is told, and does not take the window down; what somebody wants, such as Ctrl-C, does."""
        if isinstance(error, MienError):
            self.desk.ground.problem(error)
            return
        self.bugs = [*self.bugs, error][:_BUGS]
        if not isinstance(error, Exception):
            self.root.quit()
            return
        with suppress(tk.TclError):
            self.desk.ground.problem(bug(error))


def _scrolled(widget: tk.Misc) -> Iterator[Scrolled]:
    """What can be scrolled of what is to be seen, from the outside in."""
    if isinstance(widget, Scrolled) and widget.winfo_viewable():
        yield widget
    for child in widget.winfo_children():
        yield from _scrolled(child)


def _liking() -> Any:
    dark = system_settings.likes_dark()
    if dark is not None:
        yield dark
