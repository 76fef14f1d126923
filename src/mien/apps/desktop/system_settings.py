"""What the system says of itself: does its person like it dark, and how large is a pixel?"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

_PATIENCE = 2.0


def likes_dark() -> bool | None:
    """Whether windows are to be dark; None where nobody can tell. May take a moment: it asks other programs."""
    if "dark" in os.environ.get("GTK_THEME", "").lower():
        return True
    if sys.platform == "win32":
        return _windows()
    if sys.platform == "darwin":
        return "dark" in _answer("defaults", "read", "-g", "AppleInterfaceStyle").lower()
    told = _answer("gsettings", "get", "org.gnome.desktop.interface", "color-scheme")
    if "dark" in told or "light" in told:
        return "dark" in told
    return _gtk()


def sharpen() -> None:
    """Before the first window: Windows shall not enlarge it as a blurred picture."""
    if sys.platform == "win32":
        import ctypes

        try:
            ctypes.windll.shcore.SetProcessDpiAwareness(1)
        except (AttributeError, OSError):  # older than Windows 8.1
            return


def pixel_size(dots_per_inch: float) -> float:
    """How many pixels of the screen one of the drawing takes: in steps, for lines to stay sharp."""
    if sys.platform == "darwin":
        return 1.0  # the system enlarges by itself
    told = max(dots_per_inch / 96, float(os.environ.get("GDK_SCALE") or 0))
    return max(round(told * 4) / 4, 1.0)


def modifier() -> str:
    """The key that goes with letters in menus."""
    return "Command" if sys.platform == "darwin" else "Control"


def _windows() -> bool | None:
    # Through a name, as type checkers of other systems do not know the module.
    registry: Any = import_module("winreg")
    place = r"Software\Microsoft\Windows\CurrentVersion\Themes\Personalize"
    try:
        with registry.OpenKey(registry.HKEY_CURRENT_USER, place) as key:
            return bool(registry.QueryValueEx(key, "AppsUseLightTheme")[0] == 0)
    except OSError:
        return None


def _gtk() -> bool | None:
    folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    try:
        told = (folder / "gtk-3.0" / "settings.ini").read_text("utf-8").lower()
    except (OSError, ValueError):
        return None
    return "gtk-application-prefer-dark-theme=1" in told.replace(" ", "").replace("=true", "=1")


def _answer(*words: str) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout
