"""Files that are dropped on the window, and images and files from the clipboard."""

from __future__ import annotations

import sys
import tkinter as tk
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote, urlsplit

#: Paths of files, or an encoded image.
Content: TypeAlias = list[Path] | bytes

#: The types of images and files in the clipboard of X11, the preferred first.
_IMAGE_TYPES = ("image/png", "image/jpeg", "image/bmp")
_FILE_TYPES = ("text/uri-list", "x-special/gnome-copied-files")


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
