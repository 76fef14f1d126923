"""What the desktop remembers from one start to the next: how it looks, and which files were open. Nothing of faces."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mien.models import cache_folder

#: How many recent files are remembered.
RECENT = 10

THEMES = ("system", "light", "dark")

#: How large the text may be, as parts of its usual size.
TEXTS = (1.0, 1.25, 1.5, 2.0)


@dataclass(frozen=True)
class Settings:
    """``theme`` is one of :data:`THEMES`, ``dark`` what the system was found to be; the newest of ``recent`` first."""

    theme: str = "system"
    text: float = 1.0
    dark: bool = False
    recent: tuple[str, ...] = ()

    @property
    def shows_dark(self) -> bool:
        return self.dark if self.theme == "system" else self.theme == "dark"

    def opened(self, path: Path) -> Settings:
        """With this path as the newest of the recent ones."""
        word = str(path.absolute())
        others = [each for each in self.recent if each != word]
        return replace(self, recent=(word, *others)[:RECENT])

    def larger(self, by: int) -> Settings:
        """One size of text up or down."""
        place = min(range(len(TEXTS)), key=lambda place: abs(TEXTS[place] - self.text))
        return replace(self, text=TEXTS[min(max(place + by, 0), len(TEXTS) - 1)])


def load() -> Settings:
    """What was remembered; the usual settings where nothing was, or nothing that can be read."""
    try:
        told = json.loads(_place().read_text("utf-8"))
    except (OSError, ValueError):
        return Settings()
    return _valid(told) if isinstance(told, dict) else Settings()


def save(settings: Settings) -> None:
    """A folder that cannot be written to costs the memory, and nothing else."""
    try:
        _place().parent.mkdir(parents=True, exist_ok=True)
        _place().write_text(json.dumps(asdict(settings), indent=1), "utf-8")
    except OSError:
        pass


def _valid(told: dict[str, Any]) -> Settings:
    theme, text, recent = told.get("theme"), told.get("text"), told.get("recent")
    words = recent if isinstance(recent, Sequence) and not isinstance(recent, str) else ()
    return Settings(
        theme if theme in THEMES else "system",
        text if text in TEXTS else 1.0,
        bool(told.get("dark")),
        tuple(word for word in words if isinstance(word, str))[:RECENT],
    )


def _place() -> Path:
    return cache_folder() / "desktop.json"
