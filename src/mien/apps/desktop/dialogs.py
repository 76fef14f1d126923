"""Windows besides the main window: file dialogs and information; also dropped files and the clipboard."""

from __future__ import annotations

import sys
import tkinter as tk
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from tkinter import filedialog, ttk
from typing import Any, Protocol, TypeAlias
from urllib.parse import unquote, urlsplit

from mien._version import __version__
from mien.apps.desktop.application import DesktopApplication
from mien.apps.desktop.saving import VIDEO_FORMATS
from mien.apps.desktop.style import Theme
from mien.apps.desktop.video_state import VIDEO_SUFFIXES
from mien.apps.desktop.widgets import ScrollFrame, WrappedLabel, create_button
from mien.images.find import IMAGE_SUFFIXES

#: The formats of image results: the words of the menu, the default suffix, and the file type in the dialog.
IMAGE_FORMATS = {
    "json": ("JSON lines of all images", ".jsonl", "JSON lines"),
    "csv": ("Table (CSV) of all images", ".csv", "Table"),
    "image": ("Annotated image", ".jpg", "Image"),
    "report": ("Walkthrough of this face", ".html", "Page"),
}


#: Paths of files, or an encoded image.
Content: TypeAlias = list[Path] | bytes

#: The types of images and files in the clipboard of X11, the preferred first.
_IMAGE_TYPES = ("image/png", "image/jpeg", "image/bmp")
_FILE_TYPES = ("text/uri-list", "x-special/gnome-copied-files")


class DialogOwner(Protocol):
    """The part of the main window that dialogs use."""

    root: tk.Tk
    theme: Theme
    application: DesktopApplication


class Dialogs:
    """The dialogs of a window. ``file_dialogs`` is :mod:`tkinter.filedialog`, or a fake with its functions."""

    def __init__(self, window: DialogOwner, file_dialogs: Any = filedialog) -> None:
        self._window, self._file_dialogs = window, file_dialogs
        self._folder: str | None = None

    # Opening

    def open_images(self) -> None:
        patterns = " ".join(sorted(f"*{suffix}" for suffix in IMAGE_SUFFIXES))
        types = [("Images", patterns), ("Images", patterns.upper()), ("All files", "*")]
        self._open(self._ask(self._file_dialogs.askopenfilenames, "Open images", types))

    def open_video(self) -> None:
        patterns = " ".join(sorted(f"*{suffix}" for suffix in VIDEO_SUFFIXES))
        types = [("Videos", patterns), ("All files", "*")]
        self._open(self._ask(self._file_dialogs.askopenfilename, "Open a video", types))

    def open_folder(self) -> None:
        root = self._window.root
        self._open(self._file_dialogs.askdirectory(parent=root, title="Open a folder", initialdir=self._folder))

    def open_model(self) -> None:
        types = [("Models", "*.onnx"), ("All files", "*")]
        path = self._ask(self._file_dialogs.askopenfilename, "Open a model", types)
        if path:
            self._window.application.state.change_selection(model=str(path))

    def _ask(self, dialog: Any, title: str, types: list[tuple[str, str]]) -> Any:
        return dialog(parent=self._window.root, title=title, filetypes=types, initialdir=self._folder)

    def _open(self, answer: Any) -> None:
        paths = [Path(name) for name in ([answer] if isinstance(answer, str) else answer) if name]
        if paths:
            self._folder = str(paths[0].parent)
            self._window.application.open(paths)

    # Saving

    def save_images(self, kind: str) -> None:
        """Ask for a path, and save one of :data:`IMAGE_FORMATS`."""
        application = self._window.application
        image = application.images.current
        title, suffix, file_type = IMAGE_FORMATS[kind]
        if image is None or (kind in ("image", "report") and image.result is None):
            application.state.show_message("Open an image first: there are no results to save yet.")
            return
        if kind == "report" and application.images.reading is None:
            application.state.show_message("A walkthrough needs a face, and none was detected in this image.")
            return
        name = f"{Path(image.title).stem}-mien{suffix}" if kind in ("image", "report") else f"mien{suffix}"
        if path := self._ask_path(title, name, suffix, file_type):
            application.save(kind, path)

    def save_video(self, kind: str) -> None:
        """Ask for a path, and save one of ``VIDEO_FORMATS``."""
        application = self._window.application
        video = application.video.video
        if video is None or not application.video.has_results:
            application.state.show_message("Open a video first: there are no results to save yet.")
            return
        title, suffix, _ = VIDEO_FORMATS[kind]
        if path := self._ask_path(title, f"{video.path.stem}-{kind}{suffix}", suffix, title):
            application.save_video(kind, path)

    def _ask_path(self, title: str, name: str, suffix: str, file_type: str) -> Path | None:
        answer = self._file_dialogs.asksaveasfilename(
            parent=self._window.root,
            title=title,
            initialfile=name,
            defaultextension=suffix,
            filetypes=[(file_type, f"*{suffix}"), ("All files", "*")],
            initialdir=self._folder,
        )
        return Path(answer) if answer else None

    # Information

    def show_keys(self, shortcuts: Sequence[tuple[str, str]]) -> None:
        """``shortcuts`` are the texts of the commands and their keys."""

        def build(frame: ttk.Frame) -> None:
            frame.columnconfigure(0, weight=1)
            for row, (text, keys) in enumerate(shortcuts):
                label = ttk.Label(frame, text=text)
                label.grid(row=row, column=0, sticky="w", pady=self._window.theme.px(3))
                ttk.Label(frame, text=keys, style="Strong.TLabel").grid(row=row, column=1, sticky="e")

        self._show("Keyboard", build)

    def show_about(self) -> None:
        from mien.apps.session.model_cards import describe_targets
        from mien.text import DISCLAIMER, LIMITATIONS, PROHIBITED_USES

        card = self._window.application.state.card
        paragraphs = (
            f"mien {__version__} reads what facial expressions look like, says how certain it is, and explains the "
            "network's prediction. Everything happens on this machine, and nothing is stored unless you save it.",
            *([describe_targets(card)] if card else []),
            DISCLAIMER,
            *LIMITATIONS,
            PROHIBITED_USES,
        )

        def build(frame: ttk.Frame) -> None:
            for paragraph in paragraphs:
                WrappedLabel(frame, paragraph).pack(fill="x", pady=(0, self._window.theme.px(10)))

        self._show("About mien", build)

    def _show(self, title: str, build: Callable[[ttk.Frame], None]) -> None:
        """A window with a title, whose content ``build`` puts into a frame."""
        window, theme = self._window, self._window.theme
        top = tk.Toplevel(window.root, background=theme.colors.background)
        top.title(title)
        top.transient(window.root)
        scroll_frame = ScrollFrame(top, theme, width=520)
        scroll_frame.pack(fill="both", expand=True, padx=theme.px(20), pady=(theme.px(20), 0))
        heading = ttk.Label(scroll_frame.inner, text=title, style="Title.TLabel")
        heading.pack(anchor="w", pady=(0, theme.px(12)))
        body = ttk.Frame(scroll_frame.inner)
        body.pack(fill="both", expand=True)
        build(body)
        close = create_button(top, theme, "Close", top.destroy, style="Primary.TButton")
        close.pack(pady=theme.px(16))
        for key in ("<Escape>", "<Return>"):
            top.bind(key, lambda _event: top.destroy())
        root, width, height = window.root, theme.px(580), theme.px(560)
        width, height = min(width, root.winfo_screenwidth()), min(height, root.winfo_screenheight() - 80)
        x = max(root.winfo_rootx() + (root.winfo_width() - width) // 2, 0)
        y = max(root.winfo_rooty() + (root.winfo_height() - height) // 3, 0)
        top.geometry(f"{width}x{height}+{x}+{y}")
        top.update_idletasks()
        close.focus_set()


# Drag and drop, and the clipboard


def accept_drops(root: tk.Tk, on_drop: Callable[[list[Path]], None]) -> bool:
    """Accept files that are dropped on the window. False where tkinterdnd2 is not installed or does not work."""
    try:
        from tkinterdnd2 import TkinterDnD
    except ImportError:
        return False
    try:
        TkinterDnD.require(root) if hasattr(TkinterDnD, "require") else TkinterDnD._require(root)
        root.tk.call("tkdnd::drop_target", "register", root, "DND_Files")
    except (tk.TclError, RuntimeError):  # it has no library for this machine
        return False

    def drop(data: str) -> str:
        root.after_idle(lambda: on_drop([Path(name) for name in root.tk.splitlist(data)]))
        return "copy"

    root.tk.call("bind", root, "<<Drop:DND_Files>>", f"{root.register(drop)} %D")
    return True


def read_clipboard(root: tk.Misc) -> Content | None:
    """The image or the files in the clipboard; None for anything else."""
    if sys.platform in ("win32", "darwin"):
        return _read_with_pillow()
    for kind in _FILE_TYPES:
        if paths := parse_paths(_read_selection(root, kind)):
            return paths
    for kind in _IMAGE_TYPES:
        if data := parse_bytes(_read_selection(root, kind)):
            return data
    return parse_paths(_read_selection(root, "UTF8_STRING")) or None


def _read_with_pillow() -> Content | None:
    from io import BytesIO

    from PIL import Image, ImageGrab

    with suppress(OSError, NotImplementedError):
        match ImageGrab.grabclipboard():
            case Image.Image() as image:
                stream = BytesIO()
                image.convert("RGB").save(stream, "PNG")
                return stream.getvalue()
            case list() as names:
                return [Path(name) for name in names]
    return None


def _read_selection(root: tk.Misc, kind: str) -> str:
    try:
        return str(root.tk.call("selection", "get", "-selection", "CLIPBOARD", "-type", kind))
    except tk.TclError:
        return ""


def parse_bytes(text: str) -> bytes:
    """Binary data as Tk returns it, ``0x89 0x50 …``; empty for other text."""
    try:
        return bytes(int(number, 16) & 255 for number in text.split())
    except ValueError:
        return b""


def parse_paths(text: str) -> list[Path]:
    """The existing files among absolute paths and ``file:`` addresses, one a line."""
    paths = []
    for line in text.splitlines():
        name = line.strip().strip("\0'\"")
        if name.startswith("file:"):
            name = unquote(urlsplit(name).path)
        with suppress(OSError, ValueError):
            if name and len(name) < 4096 and (path := Path(name)).is_absolute() and path.exists():
                paths.append(path)
    return paths
