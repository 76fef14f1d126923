"""The maps of one layer, as many as there is room for; and every layer at a glance."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

import numpy as np
from numpy.typing import NDArray

from mien.apps.desktop.explanation_state import Insight, Peering
from mien.apps.desktop.live_style import Picture
from mien.apps.desktop.rendering import face, grid, numbers
from mien.apps.desktop.style import Theme
from mien.apps.desktop.widgets import Soon

#: Maps of one layer, and of a layer at a glance.
MOST, _IN_A_ROW = 64, 18

_BLUE = "#3f86c4"


class Board(tk.Canvas):
    """A canvas that draws an insight anew when it is asked to, or when its room changes."""

    def __init__(self, parent: tk.Misc, theme: Theme) -> None:
        super().__init__(parent, background=theme.shades.raised, highlightthickness=0, width=10, height=10)
        self.theme, self.insight = theme, None  # type: tuple[Theme, Insight | None]
        self._pictures: list[Picture] = []
        self._words: list[int] = []
        self._used = [0, 0]
        self._soon = Soon(self, self._anew)
        self.bind("<Configure>", self._soon)

    def show(self, insight: Insight | None) -> None:
        self.insight = insight
        self._soon()

    def draw(self, insight: Insight) -> int:
        """Draw it, and say how high it became."""
        raise NotImplementedError

    def put(self, pixels: NDArray[np.uint8], x: int, y: int) -> None:
        """A picture; those of the time before are used again, for what moves."""
        if self._used[0] == len(self._pictures):
            self._pictures.append(Picture(self))
        picture = self._pictures[self._used[0]]
        self._used[0] += 1
        picture.move(x, y)
        picture.show(pixels)

    def write(self, x: int, y: int, text: str, *, size: float = 12, hue: str = "", bold: bool = False) -> None:
        if self._used[1] == len(self._words):
            self._words.append(self.create_text(0, 0, anchor="nw"))
        item = self._words[self._used[1]]
        self._used[1] += 1
        self.coords(item, x, y)
        fill, font = hue or self.theme.shades.muted, self.theme.letters(size, bold)
        self.itemconfigure(item, text=text, fill=fill, font=font)

    def _anew(self) -> None:
        self._used = [0, 0]
        high = self.draw(self.insight) if self.insight and self.winfo_width() > 40 else 1
        for picture in self._pictures[self._used[0] :]:
            picture.hide()
        for item in self._words[self._used[1] :]:
            self.itemconfigure(item, text="")
        self.configure(scrollregion=(0, 0, self.winfo_width(), high))


class Maps(Board):
    """The feature maps of one layer; the channels that were strongest at first stay, so that they can be followed."""

    def __init__(self, parent: tk.Misc, theme: Theme) -> None:
        super().__init__(parent, theme)
        self._layer = ""
        self._chosen: tuple[int, ...] = ()

    def choose(self, layer: str, moving: bool) -> None:
        if layer != self._layer or not moving:
            self._chosen = ()
        self._layer = layer
        self.show(self.insight)

    def draw(self, insight: Insight) -> int:
        layer = next((each for each in insight.layers if each.name == self._layer), None)
        if layer is None:
            return 1
        long, wide = self.theme.long, self.winfo_width()
        many = layer.shape[0]
        if len(layer.shape) < 3:
            told = f"{layer.kind} · {many:,} numbers, one for each map" if many > 1 else layer.kind
            self.write(
                0,
                0,
                f"{told} · {layer.zero_activation:,} are 0 on this face" if layer.zero_activation else told,
                size=13,
            )
            shades = self.theme.shades
            size = wide, long(200)
            self.put(numbers(layer.activations, size, shades.accent, _BLUE, shades.panel), 0, long(28))
            return long(240)
        seen = (
            f" · each place sees {layer.receptive_field.size} × {layer.receptive_field.size} pixels"
            if layer.receptive_field
            else ""
        )
        silent = f" · {layer.zero_activation:,} silent on this face" if layer.zero_activation else ""
        self.write(0, 0, f"{layer.kind} · {many:,} maps of {layer.shape[1]} × {layer.shape[2]}{seen}{silent}", size=13)
        self._chosen = self._chosen or layer.order[:MOST]
        side, gap = long(76), long(6)
        across = max((wide + gap) // (side + gap), 1)
        sheet = grid(layer, self._chosen, side, gap, across, self.theme.shades.raised)
        self.put(sheet, 0, long(28))
        rest = many - len(self._chosen)
        if rest > 0:
            self.write(0, long(36) + sheet.shape[0], f"The {rest:,} weakest are not shown.")
        return int(long(60) + sheet.shape[0])


class Glance(Board):
    """Every layer in a row: what it is, and its strongest maps. A click chooses it; the arrow keys, Home and End go
    through the rows, and Return chooses the one that is framed."""

    def __init__(self, parent: tk.Misc, theme: Theme, chosen: Callable[[str], None]) -> None:
        super().__init__(parent, theme)
        self._rows: list[tuple[int, str]] = []
        self._call = chosen
        self._place, self._high = 0, 1
        self.configure(takefocus=True)
        self._frame = self.create_rectangle(0, 0, 0, 0, outline=theme.shades.accent, width=theme.long(2))
        self.bind("<Button-1>", self._click)
        for key, by in (("Up", -1), ("Down", 1), ("Home", -(10**9)), ("End", 10**9)):
            self.bind(f"<{key}>", lambda _event, by=by: self._step(by))  # type: ignore[misc]
        self.bind("<Return>", lambda _event: self._call(self._rows[self._place][1]) if self._rows else None)
        self._has_keys = False
        for event, has in (("<FocusIn>", True), ("<FocusOut>", False)):
            self.bind(event, lambda _event, has=has: self._mark(has))  # type: ignore[misc]

    def draw(self, insight: Insight) -> int:
        theme, long = self.theme, self.theme.long
        side, gap, left, names = long(46), long(5), long(8), long(198)
        across = max(min((self.winfo_width() - names) // (side + gap), _IN_A_ROW), 1)
        self.put(face(insight.crop, side), names, 0)
        self.write(left, long(6), "the face", size=13, hue=theme.shades.ink, bold=True)
        side_of = f"{insight.crop.shape[1]} × {insight.crop.shape[0]} pixels"
        self.write(left, long(25), side_of, size=11)
        top, self._rows = side + long(10), []
        for layer in insight.layers:
            self._rows.append((top, layer.name))
            self.write(left, top + long(6), _short(layer.name), size=13, hue=theme.shades.ink, bold=True)
            shape = " × ".join(map(str, layer.shape))
            self.write(left, top + long(25), f"{layer.kind}, {shape}", size=11)
            if len(layer.shape) == 3:
                self.put(grid(layer, layer.order[:across], side, gap, across, theme.shades.raised), names, top)
            else:
                size = across * (side + gap) - gap, side
                shades = theme.shades
                self.put(numbers(layer.activations, size, shades.accent, _BLUE, shades.panel), names, top)
            top += side + long(10)
        self._high = int(top)
        self._place = min(self._place, max(len(self._rows) - 1, 0))
        self._mark()
        return self._high

    def _step(self, by: int) -> str:
        """Frame another row, and bring it into view."""
        self._place = min(max(self._place + by, 0), max(len(self._rows) - 1, 0))
        self._mark()
        if self._rows:
            top, bottom = self._span()
            seen, room = self.canvasy(0), self.winfo_height()
            if top < seen or bottom > seen + room:
                self.yview_moveto((top if top < seen else bottom - room) / self._high)
        return "break"

    def _span(self) -> tuple[float, float]:
        """Where the framed row begins and ends; with the first, the face above it is seen too."""
        gap = self.theme.long(5)
        top = self._rows[self._place][0]
        below = self._rows[self._place + 1][0] if self._place + 1 < len(self._rows) else self._high
        return (0 if self._place == 0 else top - gap), below - gap

    def _mark(self, has_keys: bool | None = None) -> None:
        """The frame is there as long as keys come here."""
        self._has_keys = self._has_keys if has_keys is None else has_keys
        if not self._rows or not self._has_keys:
            self.itemconfigure(self._frame, state="hidden")
            return
        top, bottom = self._rows[self._place][0] - self.theme.long(5), self._span()[1]
        self.coords(self._frame, 1, top, self.winfo_width() - 2, bottom)
        self.itemconfigure(self._frame, state="normal")
        self.tag_raise(self._frame)

    def _click(self, event: tk.Event[tk.Misc]) -> None:
        y = self.canvasy(event.y)
        below = [name for top, name in self._rows if top <= y]
        if below:
            self._call(below[-1])


def _short(name: str) -> str:
    return name if len(name) <= 22 else f"…{name[-21:]}"


# ==== mien.apps.desktop.layers
# The layers of the network on one face: at a glance, or the maps of one of them.

#: The height of the part that scrolls.
_HIGH = 420


class Layers(ttk.Frame):
    """A list of the layers beside their maps; the arrow keys go through the list."""

    def __init__(self, parent: tk.Misc, theme: Theme, inside: Peering) -> None:
        super().__init__(parent, style="Card.TFrame", padding=theme.long(16))
        self._theme, self._inside = theme, inside
        self._names: tuple[str, ...] = ()
        self.columnconfigure(1, weight=1)
        self.rowconfigure(1, weight=1, minsize=theme.long(_HIGH))
        head = ttk.Frame(self, style="Raised.TFrame")
        head.grid(row=0, column=0, columnspan=2, sticky="ew", pady=(0, theme.long(10)))
        ttk.Label(head, text="Layer by layer", style="Card.Strong.TLabel").pack(side="left")
        self._way = tk.StringVar(self, "maps")
        for name, words in (("glance", "All at a glance"), ("maps", "One layer")):
            choice = ttk.Radiobutton(head, text=words, value=name, variable=self._way, style="Card.Choice.TRadiobutton")
            choice.configure(command=self._switch)
            choice.pack(side="right", padx=(theme.long(6), 0))
        self._list = ttk.Treeview(self, show="tree", selectmode="browse", height=4)
        self._list.column("#0", width=theme.long(230))
        self._list.grid(row=1, column=0, sticky="ns", padx=(0, theme.long(14)))
        self._list.bind("<<TreeviewSelect>>", self._chosen)
        self._maps = Maps(self, theme)
        self._glance = Glance(self, theme, self._choose)
        self._bars = {board: ttk.Scrollbar(self, command=board.yview) for board in (self._maps, self._glance)}
        for board, bar in self._bars.items():
            board.configure(yscrollcommand=bar.set, yscrollincrement=theme.long(20))
        self._switch()

    def show(self, insight: Insight | None, moving: bool) -> None:
        names = tuple(layer.name for layer in insight.layers) if insight else ()
        if names != self._names:
            self._names = names
            self._list.delete(*self._list.get_children())
            for layer in insight.layers if insight else ():
                self._list.insert("", "end", iid=layer.name, text=layer.name)
        wanted = self._inside.layer
        if names and wanted not in names:
            wanted = self._inside.layer = _first(insight)
        if wanted and self._list.selection() != (wanted,):
            self._list.selection_set(wanted)
            self._list.see(wanted)
        self._maps.insight = self._glance.insight = insight
        if self._way.get() == "maps":
            self._maps.choose(wanted, moving)
        else:
            self._glance.show(insight)

    def _switch(self) -> None:
        glance = self._way.get() == "glance"
        on, off = (self._glance, self._maps) if glance else (self._maps, self._glance)
        off.grid_forget()
        self._bars[off].grid_forget()
        on.grid(row=1, column=0 if glance else 1, columnspan=2 if glance else 1, sticky="nsew")
        self._bars[on].grid(row=1, column=2, sticky="ns")
        self._list.grid_remove() if glance else self._list.grid()
        on.show(on.insight or off.insight)

    def _chosen(self, _event: object) -> None:
        for name in self._list.selection():
            if name != self._inside.layer:
                self._inside.choose(name)
            self._maps.choose(name, False)
            self._maps.yview_moveto(0)

    def _choose(self, name: str) -> None:
        """From the glance to one layer."""
        self._inside.choose(name)
        self._way.set("maps")
        self._switch()
        self._list.selection_set(name)
        self._list.see(name)
        # Whoever came by the keyboard goes on with it.
        self._list.focus_set()
        self._list.focus(name)


def _first(insight: Insight | None) -> str:
    """The layer to begin with: the first with maps that an activation has passed."""
    layers = insight.layers if insight else ()
    named = [layer.name for layer in layers if layer.kind == "activation" and len(layer.shape) == 3]
    return (named or [layer.name for layer in layers] or [""])[0]
