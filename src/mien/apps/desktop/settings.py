"""Settings: appearance and recent files, stored between runs; and the preferences of the operating system.

Nothing about faces is stored.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from mien.models import cache_folder

#: The number of recent files that are stored.
_MAX_RECENT = 10

THEMES = ("system", "light", "dark")

#: Text sizes, relative to the default.
TEXT_SIZES = (1.0, 1.25, 1.5, 2.0)

#: Seconds to wait for a program that reports the system's preferences.
_QUERY_TIMEOUT = 2.0


@dataclass(frozen=True)
class DesktopSettings:
    """``theme`` is one of :data:`THEMES`; ``dark`` is the system's preference; ``recent`` has the newest first."""

    theme: str = "system"
    text: float = 1.0
    dark: bool = False
    recent: tuple[str, ...] = ()

    @property
    def shows_dark(self) -> bool:
        return self.dark if self.theme == "system" else self.theme == "dark"

    def add_recent(self, path: Path) -> DesktopSettings:
        """These settings with ``path`` as the newest recent file."""
        added = str(path.absolute())
        others = [recent for recent in self.recent if recent != added]
        return replace(self, recent=(added, *others)[:_MAX_RECENT])

    def change_text_size(self, steps: int) -> DesktopSettings:
        """These settings with a larger text, or a smaller one for negative ``steps``."""
        index = min(range(len(TEXT_SIZES)), key=lambda index: abs(TEXT_SIZES[index] - self.text))
        return replace(self, text=TEXT_SIZES[min(max(index + steps, 0), len(TEXT_SIZES) - 1)])


def load_settings() -> DesktopSettings:
    """The stored settings; the defaults where there are none or they cannot be read."""
    try:
        values = json.loads(_settings_path().read_text("utf-8"))
    except (OSError, ValueError):
        return DesktopSettings()
    return _validate(values) if isinstance(values, dict) else DesktopSettings()


def store_settings(settings: DesktopSettings) -> None:
    """Write the settings. A folder that cannot be written to is no error: the settings are then not stored."""
    try:
        _settings_path().parent.mkdir(parents=True, exist_ok=True)
        _settings_path().write_text(json.dumps(asdict(settings), indent=1), "utf-8")
    except OSError:
        pass


def _validate(values: dict[str, Any]) -> DesktopSettings:
    theme, text, recent = values.get("theme"), values.get("text"), values.get("recent")
    paths = recent if isinstance(recent, Sequence) and not isinstance(recent, str) else ()
    return DesktopSettings(
        theme if theme in THEMES else "system",
        text if text in TEXT_SIZES else 1.0,
        bool(values.get("dark")),
        tuple(path for path in paths if isinstance(path, str))[:_MAX_RECENT],
    )


def _settings_path() -> Path:
    return cache_folder() / "desktop.json"


# The operating system


def system_prefers_dark() -> bool | None:
    """Whether the system uses dark windows; None where that is unknown. Starts other programs, which takes a moment."""
    if "dark" in os.environ.get("GTK_THEME", "").lower():
        return True
    if sys.platform == "win32":
        return _windows_prefers_dark()
    if sys.platform == "darwin":
        return "dark" in _run_query("defaults", "read", "-g", "AppleInterfaceStyle").lower()
    scheme = _run_query("gsettings", "get", "org.gnome.desktop.interface", "color-scheme")
    if "dark" in scheme or "light" in scheme:
        return "dark" in scheme
    return _gtk_prefers_dark()


def enable_high_dpi() -> None:
    """Before the first window: stop Windows from scaling it as a blurred image."""
    if sys.platform == "win32":
        import ctypes

        try:
            ctypes.windll.shcore.SetProcessDpiAwareness(1)
        except (AttributeError, OSError):  # older than Windows 8.1
            return


def display_scale(dots_per_inch: float) -> float:
    """Screen pixels per pixel of the design, in steps of a quarter so that lines stay sharp."""
    if sys.platform == "darwin":
        return 1.0  # the system scales windows itself
    scale = max(dots_per_inch / 96, float(os.environ.get("GDK_SCALE") or 0))
    return max(round(scale * 4) / 4, 1.0)


def modifier_key() -> str:
    """Tk's name of the modifier key of menu shortcuts."""
    return "Command" if sys.platform == "darwin" else "Control"


def _windows_prefers_dark() -> bool | None:
    # Imported by name: type checkers on other systems do not know the module.
    registry: Any = import_module("winreg")
    key_path = r"Software\Microsoft\Windows\CurrentVersion\Themes\Personalize"
    try:
        with registry.OpenKey(registry.HKEY_CURRENT_USER, key_path) as key:
            return bool(registry.QueryValueEx(key, "AppsUseLightTheme")[0] == 0)
    except OSError:
        return None


def _gtk_prefers_dark() -> bool | None:
    folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    try:
        text = (folder / "gtk-3.0" / "settings.ini").read_text("utf-8").lower()
    except (OSError, ValueError):
        return None
    return "gtk-application-prefer-dark-theme=1" in text.replace(" ", "").replace("=true", "=1")


def _run_query(*arguments: str) -> str:
    try:
        completed = subprocess.run(arguments, capture_output=True, text=True, timeout=_QUERY_TIMEOUT, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return completed.stdout
