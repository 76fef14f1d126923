"""What somebody hands over: pictures, folders of them, or a film."""

from __future__ import annotations

import sys
import tkinter as tk
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import unquote, urlsplit

#: What film files end in; whatever else there is, is tried as a picture, which tells what it is not.
FILMS = frozenset([".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".ogv"])


class Opened(NamedTuple):
    pictures: list[Path]
    films: list[Path]


def sorted_out(paths: Iterable[Path]) -> Opened:
    """Pictures and folders, and films, each in their order. A GIF is a picture here."""
    opened = Opened([], [])
    for path in paths:
        (opened.films if path.suffix.lower() in FILMS else opened.pictures).append(path)
    return opened


# ==== mien.apps.desktop.dropping
# What is dropped on the window, and what is pasted into it.

#: Paths of files, or the bytes of a picture.
Handed: TypeAlias = list[Path] | bytes

#: How a clipboard of X calls pictures and files, the best first.
_PICTURES = ("image/png", "image/jpeg", "image/bmp")
_FILES = ("text/uri-list", "x-special/gnome-copied-files")


def accept(root: tk.Tk, dropped: Callable[[list[Path]], None]) -> bool:
    """Take files that are dropped on the window; False where the extra for it is not installed."""
    try:
        from tkinterdnd2 import TkinterDnD
    except ImportError:
        return False
    widget: Any = root
    try:
        TkinterDnD.require(root) if hasattr(TkinterDnD, "require") else TkinterDnD._require(root)
        root.tk.call("tkdnd::drop_target", "register", root, "DND_Files")
    except (tk.TclError, RuntimeError):  # no library of it for this machine
        return False

    def drop(data: str) -> str:
        root.after_idle(lambda: dropped([Path(word) for word in root.tk.splitlist(data)]))
        return "copy"

    root.tk.call("bind", widget, "<<Drop:DND_Files>>", f"{root.register(drop)} %D")
    return True


def pasted(root: tk.Misc) -> Handed | None:
    """What the clipboard holds, if that is a picture or files; None for anything else."""
    if sys.platform in ("win32", "darwin"):
        return _from_system()
    for kind in _FILES:
        if paths := _paths(_selection(root, kind)):
            return paths
    for kind in _PICTURES:
        if data := _bytes(_selection(root, kind)):
            return data
    return _paths(_selection(root, "UTF8_STRING")) or None


def _from_system() -> Handed | None:
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


def _selection(root: tk.Misc, kind: str) -> str:
    try:
        return str(root.tk.call("selection", "get", "-selection", "CLIPBOARD", "-type", kind))
    except tk.TclError:
        return ""


def _bytes(told: str) -> bytes:
    """Tk gives what is no text as numbers: ``0x89 0x50 …``."""
    try:
        return bytes(int(word, 16) & 255 for word in told.split())
    except ValueError:
        return b""


def _paths(told: str) -> list[Path]:
    """Paths and ``file:`` addresses, a line each, that lead to something."""
    found = []
    for line in told.splitlines():
        word = line.strip().strip("\0'\"")
        if word.startswith("file:"):
            word = unquote(urlsplit(word).path)
        with suppress(OSError, ValueError):
            if word and len(word) < 4096 and (path := Path(word)).is_absolute() and path.exists():
                found.append(path)
    return found
