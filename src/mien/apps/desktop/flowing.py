"""Room that changes: rows that break where they end, pages that scroll where they are too tall, and what is narrow."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from mien.apps.desktop.theme import Theme

#: A page narrower than this, in pixels of the drawing, puts things below each other.
NARROW = 760


class Flow(ttk.Frame):
    """Widgets in a row that goes on in the next line where the first ends; ``right`` moves the lines to the right."""

    def __init__(self, parent: tk.Misc, theme: Theme, style: str = "TFrame", *, way: str = "left") -> None:
        super().__init__(parent, style=style, height=1, width=1)
        self._theme, self._way = theme, way
        self._parts: list[tuple[tk.Widget, int]] = []
        self.bind("<Configure>", lambda _event: self._lay())

    def add(self, widget: tk.Widget, gap: float = 8) -> None:
        """``widget`` is a child of this; ``gap`` is the space behind it."""
        self._parts.append((widget, self._theme.long(gap)))
        widget.bind("<Configure>", lambda _event: self._lay(), add=True)
        self._lay()

    def leave_out(self, widget: tk.Widget, out: bool) -> None:
        """Show a widget, or show the others without it."""
        widget.place_forget() if out else None
        setattr(widget, "left_out", out)  # noqa: B010
        self._lay()

    def _lay(self) -> None:
        shown = [(part, gap) for part, gap in self._parts if not getattr(part, "left_out", False)]
        wide = self.winfo_width()
        # Before the frame has a width of its own it asks for one line.
        room = wide if wide > 1 else sum(part.winfo_reqwidth() + gap for part, gap in shown)
        top = 0
        for line in _lines(shown, room):
            high = max(part.winfo_reqheight() for part, _ in line)
            whole = sum(part.winfo_reqwidth() + gap for part, gap in line) - line[-1][1]
            left = {"left": 0, "right": room - whole, "middle": (room - whole) // 2}[self._way]
            for part, gap in line:
                part.place(
                    x=max(left, 0), y=top + high - part.winfo_reqheight(), width=min(part.winfo_reqwidth(), room)
                )
                left += part.winfo_reqwidth() + gap
            top += high + self._theme.long(8)
        high = max(top - self._theme.long(8), 1)
        widest = max((part.winfo_reqwidth() for part, _ in shown), default=1)
        if (int(str(self.cget("height"))), int(str(self.cget("width")))) != (high, widest):
            self.configure(height=high, width=widest)


def _lines(parts: list[tuple[tk.Widget, int]], room: int) -> list[list[tuple[tk.Widget, int]]]:
    lines: list[list[tuple[tk.Widget, int]]] = []
    used = 0
    for part, gap in parts:
        if not lines or used + part.winfo_reqwidth() > room:
            lines.append([])
            used = 0
        lines[-1].append((part, gap))
        used += part.winfo_reqwidth() + gap
    return lines


def watch_width(widget: tk.Misc, theme: Theme, act: Callable[[bool], None], limit: float = NARROW) -> None:
    """Call ``act`` with whether the widget is narrow, now and whenever that changes."""
    before: list[bool] = []

    def changed(event: tk.Event[tk.Misc]) -> None:
        narrow = event.width < theme.long(limit)
        if event.widget is widget and before != [narrow]:
            before[:] = [narrow]
            act(narrow)

    widget.bind("<Configure>", changed, add=True)
    act(False)
