"""Room that changes: rows that break where they end, pages that scroll where they are too tall, and what is narrow."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from contextlib import suppress
from tkinter import ttk
from typing import Any

from mien.apps.desktop.style import Theme

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


# ==== mien.apps.desktop.parts
# Small pieces of every page: words that wrap, buttons, something that scrolls, a bubble of help, an empty page.

#: Milliseconds until a bubble of help comes up.
_PATIENCE = 600


class Words(ttk.Label):
    """A label that breaks its lines where its room ends. It asks for no width of its own: it takes what there is.

    Would it ask for what its lines need, its room would depend on where they break, and that on its room.
    """

    def __init__(self, parent: tk.Misc, text: str = "", style: str = "TLabel") -> None:
        super().__init__(parent, text=text, style=style, justify="left", width=1)
        self.bind("<Configure>", self._wrap)

    def _wrap(self, event: tk.Event[tk.Misc]) -> None:
        if abs(int(str(self.cget("wraplength") or 0)) - event.width) > 2:
            self.configure(wraplength=event.width)


def button(
    parent: tk.Misc,
    theme: Theme,
    text: str,
    command: Callable[[], object],
    *,
    icon: str = "",
    style: str = "TButton",
    help: str = "",
) -> ttk.Button:
    """A button, with a drawing beside its words where ``icon`` names one."""
    made = ttk.Button(parent, text=f" {text}" if icon and text else text, command=command, style=style)
    if icon:
        hue = theme.tones.on_accent if "Main." in style else theme.shades.ink
        # Tk would dim a picture with a raster.
        drawn: Any = theme.icon(icon, hue), "disabled", theme.icon(icon, theme.shades.muted)
        made.configure(image=drawn, compound="left")
    if help:
        Bubble(made, theme, help)
    return made


class Bubble:
    """Help that comes up when the mouse rests on something, or the keyboard stands on it."""

    def __init__(self, widget: tk.Widget, theme: Theme, text: str) -> None:
        self._widget, self._theme, self.text = widget, theme, text
        self._job: str | None = None
        self._top: tk.Toplevel | None = None
        widget.bind("<Enter>", self._wait, add=True)
        for event in ("<Leave>", "<ButtonPress>", "<Destroy>", "<FocusOut>"):
            widget.bind(event, self._gone, add=True)

    def _wait(self, _event: object) -> None:
        self._gone()
        self._job = self._widget.after(_PATIENCE, self._show)

    def _show(self) -> None:
        theme, widget = self._theme, self._widget
        self._top = top = tk.Toplevel(widget, background=theme.shades.line)
        top.overrideredirect(True)
        label = tk.Label(top, text=self.text, background=theme.shades.raised, foreground=theme.shades.ink)
        label.configure(font=theme.letters(13), padx=theme.long(10), pady=theme.long(5), justify="left")
        label.configure(wraplength=theme.long(320))
        label.pack(padx=1, pady=1)
        top.geometry(f"+{widget.winfo_rootx()}+{widget.winfo_rooty() + widget.winfo_height() + theme.long(6)}")

    def _gone(self, _event: object = None) -> None:
        with suppress(tk.TclError):  # the window is going
            if self._job:
                self._widget.after_cancel(self._job)
            if self._top:
                self._top.destroy()
        self._job = self._top = None


def card(parent: tk.Misc, theme: Theme, kind: str = "Card") -> ttk.Frame:
    """A frame with round corners, and room at its edges."""
    return ttk.Frame(parent, style=f"{kind}.TFrame", padding=theme.long(16))


def with_bar(parent: tk.Misc, scrolled: Any) -> ttk.Scrollbar:
    """A bar for a list or a canvas, packed at its right only while there is something to scroll."""
    bar = ttk.Scrollbar(parent, orient="vertical", command=scrolled.yview)

    def moved(first: str, last: str) -> None:
        bar.set(first, last)
        whole = float(first) <= 0.0 and float(last) >= 1.0
        if whole and bar.winfo_ismapped():
            bar.pack_forget()
        elif not whole and not bar.winfo_ismapped():
            bar.pack(side="right", fill="y", before=scrolled)

    scrolled.configure(yscrollcommand=moved)
    return bar


class Scrolled(ttk.Frame):
    """``inner`` takes the widgets; what is taller than the room can be scrolled, by wheel and by keys.

    With ``fill`` it is never less tall than the room.
    """

    def __init__(
        self, parent: tk.Misc, theme: Theme, style: str = "TFrame", *, width: int = 0, fill: bool = False
    ) -> None:
        super().__init__(parent, style=style)
        self._fill = fill
        ground = theme.shades.panel if style.startswith("Panel") else theme.shades.ground
        self._canvas = tk.Canvas(self, background=ground, highlightthickness=0, yscrollincrement=theme.long(24))
        if width:
            self._canvas.configure(width=theme.long(width))
        self._bar = ttk.Scrollbar(self, orient="vertical", command=self._canvas.yview)
        self._canvas.configure(yscrollcommand=self._bar.set)
        self._canvas.pack(side="left", fill="both", expand=True)
        self.inner = ttk.Frame(self._canvas, style=style)
        self._item = self._canvas.create_window(0, 0, window=self.inner, anchor="nw")
        self.inner.bind("<Configure>", self._fit)
        self._canvas.bind("<Configure>", self._fit)
        for event in ("<MouseWheel>", "<Button-4>", "<Button-5>"):
            self.bind_all(event, _wheel)

    def top(self) -> None:
        self._canvas.yview_moveto(0)

    def page(self, by: int) -> None:
        """Scroll by so many of what is seen at once."""
        self._canvas.yview_scroll(by, "pages")

    def widen(self, width: int) -> None:
        """Ask for so many pixels."""
        self._canvas.configure(width=width)

    def _fit(self, _event: object) -> None:
        width, height = self._canvas.winfo_width(), self.inner.winfo_reqheight()
        self._canvas.itemconfigure(self._item, width=width)
        if self._fill:
            self._canvas.itemconfigure(self._item, height=max(height, self._canvas.winfo_height()))
        self._canvas.configure(scrollregion=(0, 0, width, max(height, 1)))
        tall = height > self._canvas.winfo_height() + 1
        if tall and not self._bar.winfo_ismapped():
            self._bar.pack(side="right", fill="y")
        elif not tall and self._bar.winfo_ismapped():
            self._bar.pack_forget()
            self._canvas.yview_moveto(0)


def _wheel(event: tk.Event[tk.Misc]) -> None:
    """Scroll whatever lies under the mouse, or the first thing around it that can be scrolled."""
    widget: Any = event.widget
    by = -1 if event.num == 4 or event.delta > 0 else 1
    while isinstance(widget, tk.Misc) and not isinstance(widget, ttk.Treeview):  # which scrolls by itself
        if isinstance(widget, tk.Canvas) and widget.cget("scrollregion") and widget.yview() != (0.0, 1.0):
            widget.yview_scroll(2 * by, "units")
            return
        widget = widget.master


class Soon:
    """Does something once when Tk has time, however often it is asked; never again when the widget is gone."""

    def __init__(self, widget: tk.Misc, act: Callable[[], None]) -> None:
        self._widget, self._act = widget, act
        self._job: str | None = None
        widget.bind("<Destroy>", self._gone, add=True)

    def __call__(self, _event: object = None) -> None:
        if self._job is None and self._widget.winfo_exists():
            self._job = self._widget.after_idle(self._do)

    def _do(self) -> None:
        self._job = None
        self._act()

    def _gone(self, event: tk.Event[tk.Misc]) -> None:
        if event.widget is self._widget and self._job is not None:
            self._widget.after_cancel(self._job)
            self._job = None


class Note(ttk.Frame):
    """Something that is to be minded, on a ground of its own."""

    def __init__(self, parent: tk.Misc, theme: Theme, text: str = "") -> None:
        super().__init__(parent, style="Warn.TFrame", padding=(theme.long(14), theme.long(10)))
        self.columnconfigure(1, weight=1)
        sign = ttk.Label(self, image=theme.icon("warn", theme.tones.warn), style="Warn.TLabel")
        sign.grid(row=0, column=0, sticky="n")
        self._words = Words(self, text, "Warn.TLabel")
        self._words.grid(row=0, column=1, sticky="ew", padx=(theme.long(12), 0))

    def say(self, text: str) -> None:
        self._words.configure(text=text)


class Empty(Scrolled):
    """A page with nothing on it yet, which says what to do; the first button is the usual one."""

    def __init__(
        self,
        parent: tk.Misc,
        theme: Theme,
        icon: str,
        title: str,
        told: Sequence[str],
        buttons: Sequence[tuple[str, Any]],
    ) -> None:
        super().__init__(parent, theme, fill=True)
        self._theme = theme
        self.inner.columnconfigure(0, weight=1)
        for row in (0, 2):
            self.inner.rowconfigure(row, weight=1)
        soft = ttk.Frame(self.inner, style="Soft.TFrame", padding=(theme.long(40), theme.long(32)))
        soft.grid(row=1, column=0, padx=theme.long(16), pady=theme.long(16))
        image = theme.icon(icon, theme.shades.muted, 56)
        ttk.Label(soft, image=image, style="Soft.TLabel").pack(pady=(0, theme.long(14)))
        wide: dict[str, Any] = {"wraplength": theme.long(400), "justify": "center"}
        ttk.Label(soft, text=title, style="Soft.Title.TLabel", **wide).pack()
        for text in told:
            ttk.Label(soft, text=text, style="Soft.Muted.TLabel", **wide).pack(pady=(theme.long(8), 0))
        row_of = ttk.Frame(soft, style="Panel.TFrame")
        row_of.pack(pady=(theme.long(24), 0))
        for place, (text, command) in enumerate(buttons):
            style = "Panel.Main.TButton" if place == 0 else "Panel.TButton"
            button(row_of, theme, text, command, style=style).pack(side="left", padx=theme.long(5))

    def offer(self, words: str, buttons: Sequence[tuple[str, Any]], help: str) -> None:
        """More that can be tried, below."""
        row = Flow(self.inner, self._theme, way="middle")
        row.grid(row=2, column=0, sticky="new", pady=(0, self._theme.long(16)))
        row.add(ttk.Label(row, text=words, style="Muted.TLabel", padding=self._theme.long(6)))
        for text, command in buttons:
            row.add(button(row, self._theme, text, command, style="Quiet.TButton", help=help), 0)
