"""The layers of the network on one face: at a glance, or the maps of one of them."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk

from mien.apps.desktop.maps import Glance, Maps
from mien.apps.desktop.peering import Insight, Peering
from mien.apps.desktop.theme import Theme

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
