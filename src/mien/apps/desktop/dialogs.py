"""Questions that open a window of their own: which file, where to, and what there is to know."""

from __future__ import annotations

import tkinter as tk
from pathlib import Path
from tkinter import filedialog, ttk
from typing import TYPE_CHECKING, Any

from mien._version import __version__
from mien.apps.desktop.drag_and_drop import FILMS
from mien.apps.desktop.saving import KINDS
from mien.apps.desktop.widgets import Scrolled, Words, button
from mien.images.find import IMAGE_SUFFIXES

if TYPE_CHECKING:
    from mien.apps.desktop.window import Window

#: What becomes of pictures: the words of the menu, the usual suffix, what the dialog calls it.
SAVED = {
    "json": ("JSON of all that was read", ".jsonl", "Lines of JSON"),
    "csv": ("Table (CSV) of all that was read", ".csv", "Table"),
    "picture": ("Annotated picture", ".jpg", "Picture"),
    "report": ("Report of this face", ".html", "Page"),
}


class Dialogs:
    """The window's questions. ``asks`` is Tk's own :mod:`tkinter.filedialog`, or whoever has the answers already."""

    def __init__(self, window: Window, asks: Any = filedialog) -> None:
        self._window, self._asks = window, asks
        self._folder: str | None = None

    # Which file

    def open_pictures(self) -> None:
        patterns = " ".join(sorted(f"*{suffix}" for suffix in IMAGE_SUFFIXES))
        types = [("Pictures", patterns), ("Pictures", patterns.upper()), ("All files", "*")]
        self._open(self._asked(self._asks.askopenfilenames, "Open pictures", types))

    def open_film(self) -> None:
        patterns = " ".join(sorted(f"*{suffix}" for suffix in FILMS))
        self._open(self._asked(self._asks.askopenfilename, "Open a film", [("Films", patterns), ("All files", "*")]))

    def open_folder(self) -> None:
        self._open(self._asks.askdirectory(parent=self._window.root, title="Open a folder", initialdir=self._folder))

    def open_model(self) -> None:
        types = [("Models", "*.onnx"), ("All files", "*")]
        path = self._asked(self._asks.askopenfilename, "Open a model", types)
        if path:
            ground = self._window.desk.ground
            ground.choose(ground.choice._replace(model=str(path)))

    def _asked(self, ask: Any, title: str, types: list[tuple[str, str]]) -> Any:
        return ask(parent=self._window.root, title=title, filetypes=types, initialdir=self._folder)

    def _open(self, chosen: Any) -> None:
        paths = [Path(each) for each in ([chosen] if isinstance(chosen, str) else chosen) if each]
        if paths:
            self._folder = str(paths[0].parent)
            self._window.desk.open(paths)

    # Where to

    def save(self, kind: str) -> None:
        desk = self._window.desk
        shot = desk.album.shot
        words, suffix, called = SAVED[kind]
        if shot is None or (kind in ("picture", "report") and shot.result is None):
            desk.ground.say("Open a picture first: there is nothing to save yet.")
            return
        if kind == "report" and desk.album.reading is None:
            desk.ground.say("A report is about a face, and none was found in this picture.")
            return
        name = f"{Path(shot.title).stem}-mien{suffix}" if kind in ("picture", "report") else f"mien{suffix}"
        if path := self._place(words, name, suffix, called):
            desk.save(kind, path)

    def save_film(self, kind: str) -> None:
        desk = self._window.desk
        if desk.film.reel is None or not desk.film.known:
            desk.ground.say("Read a film first: there is nothing to save yet.")
            return
        words, suffix, _ = KINDS[kind]
        name = f"{desk.film.reel.path.stem}-{kind}{suffix}"
        if path := self._place(words, name, suffix, words):
            desk.film.save(kind, path)

    def _place(self, title: str, name: str, suffix: str, called: str) -> Path | None:
        types = [(called, f"*{suffix}"), ("All files", "*")]
        told = self._asks.asksaveasfilename(
            parent=self._window.root,
            title=title,
            initialfile=name,
            defaultextension=suffix,
            filetypes=types,
            initialdir=self._folder,
        )
        return Path(told) if told else None

    # What there is to know

    def keys(self) -> None:
        rows = [(command.words, command.shown) for command in self._window.menus.commands if command.keys]
        self._tell("Keyboard", lambda frame: self._table(frame, rows))

    def about(self) -> None:
        from mien.text import DISCLAIMER, LIMITATIONS, PROHIBITED_USES

        told = (
            f"mien {__version__} reads what facial expressions look like, says how sure it is, and lets you see inside "
            "the network that says so. Everything happens on this machine, and nothing is kept unless you save it.",
            DISCLAIMER,
            *LIMITATIONS,
            PROHIBITED_USES,
        )

        def build(frame: ttk.Frame) -> None:
            for text in told:
                Words(frame, text).pack(fill="x", pady=(0, self._window.theme.long(10)))

        self._tell("About mien", build)

    def _table(self, frame: ttk.Frame, rows: list[tuple[str, str]]) -> None:
        theme = self._window.theme
        frame.columnconfigure(0, weight=1)
        for row, (words, keys) in enumerate(rows):
            ttk.Label(frame, text=words).grid(row=row, column=0, sticky="w", pady=theme.long(3))
            ttk.Label(frame, text=keys, style="Strong.TLabel").grid(row=row, column=1, sticky="e")

    def _tell(self, title: str, build: Any) -> None:
        window, theme = self._window, self._window.theme
        top = tk.Toplevel(window.root, background=theme.shades.ground)
        top.title(title)
        top.transient(window.root)
        around = Scrolled(top, theme, width=520)
        around.pack(fill="both", expand=True, padx=theme.long(20), pady=(theme.long(20), 0))
        ttk.Label(around.inner, text=title, style="Title.TLabel").pack(anchor="w", pady=(0, theme.long(12)))
        body = ttk.Frame(around.inner)
        body.pack(fill="both", expand=True)
        build(body)
        close = button(top, theme, "Close", top.destroy, style="Main.TButton")
        close.pack(pady=theme.long(16))
        for key in ("<Escape>", "<Return>"):
            top.bind(key, lambda _event: top.destroy())
        root, width, height = window.root, theme.long(580), theme.long(560)
        width, height = min(width, root.winfo_screenwidth()), min(height, root.winfo_screenheight() - 80)
        left = max(root.winfo_rootx() + (root.winfo_width() - width) // 2, 0)
        above = max(root.winfo_rooty() + (root.winfo_height() - height) // 3, 0)
        top.geometry(f"{width}x{height}+{left}+{above}")
        top.update_idletasks()
        close.focus_set()
