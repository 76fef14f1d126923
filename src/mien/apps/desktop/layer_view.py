"""The layers of the network for one face: an overview of all of them, or the feature maps of one."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mien.apps.desktop.drawing import draw_crop, draw_feature_maps, draw_vector
from mien.apps.desktop.explanation_state import ExplanationState, FaceExplanation
from mien.apps.desktop.style import Theme
from mien.apps.desktop.widgets import CanvasImage, IdleCallback, set_visible

if TYPE_CHECKING:
    from mien.explain import Layer

#: The most maps of one layer, and of a layer in the overview.
_MAX_MAPS, _OVERVIEW_MAPS = 64, 18

#: The least height of the scrolling part, in pixels of the design.
_MIN_HEIGHT = 420

#: The colour of negative values.
_NEGATIVE = "#3f86c4"


class _LayerCanvas(tk.Canvas):
    """A canvas that draws an explanation when it changes or when the canvas is resized.

    Images and texts of the previous drawing are reused, for a live camera.
    """

    def __init__(self, parent: tk.Misc, theme: Theme) -> None:
        super().__init__(parent, background=theme.colors.card, highlightthickness=0, width=10, height=10)
        self.theme = theme
        self.explanation: FaceExplanation | None = None
        self._images: list[CanvasImage] = []
        self._texts: list[int] = []
        self._used_images = self._used_texts = 0
        self._request_draw = IdleCallback(self, self._redraw)
        self.bind("<Configure>", self._request_draw)

    def show(self, explanation: FaceExplanation | None) -> None:
        self.explanation = explanation
        self._request_draw()

    def draw(self, explanation: FaceExplanation) -> int:
        """Draw the explanation. Returns the height in pixels."""
        raise NotImplementedError

    def add_image(self, pixels: NDArray[np.uint8], x: int, y: int) -> None:
        if self._used_images == len(self._images):
            self._images.append(CanvasImage(self))
        image = self._images[self._used_images]
        self._used_images += 1
        image.move(x, y)
        image.show(pixels)

    def add_text(self, x: int, y: int, text: str, *, size: float = 12, color: str = "", bold: bool = False) -> None:
        if self._used_texts == len(self._texts):
            self._texts.append(self.create_text(0, 0, anchor="nw"))
        item = self._texts[self._used_texts]
        self._used_texts += 1
        self.coords(item, x, y)
        fill, font = color or self.theme.colors.muted, self.theme.font(size, bold)
        self.itemconfigure(item, text=text, fill=fill, font=font)

    def add_vector(self, layer: Layer, size: tuple[int, int], x: int, y: int) -> None:
        colors = self.theme.colors
        self.add_image(draw_vector(layer.activations, size, colors.accent, _NEGATIVE, colors.panel), x, y)

    def _redraw(self) -> None:
        self._used_images = self._used_texts = 0
        height = self.draw(self.explanation) if self.explanation and self.winfo_width() > 40 else 1
        for image in self._images[self._used_images :]:
            image.hide()
        for item in self._texts[self._used_texts :]:
            self.itemconfigure(item, text="")
        self.configure(scrollregion=(0, 0, self.winfo_width(), height))


class FeatureMaps(_LayerCanvas):
    """The feature maps of one layer, the most active first. Their order stays the same while the camera is live."""

    def __init__(self, parent: tk.Misc, theme: Theme) -> None:
        super().__init__(parent, theme)
        self._layer = ""
        self._channels: tuple[int, ...] = ()

    def show_layer(self, layer: str, live: bool) -> None:
        if layer != self._layer or not live:
            self._channels = ()
        self._layer = layer
        self.show(self.explanation)

    def draw(self, explanation: FaceExplanation) -> int:
        layer = next((layer for layer in explanation.layers if layer.name == self._layer), None)
        if layer is None:
            return 1
        px, width, count = self.theme.px, self.winfo_width(), layer.shape[0]
        zero = f"{layer.zero_activation:,} with zero activation on this face" if layer.zero_activation else ""
        if len(layer.shape) < 3:
            values = f"{count:,} values" if count > 1 else ""
            self.add_text(0, 0, " · ".join(part for part in (layer.kind, values, zero) if part), size=13)
            self.add_vector(layer, (width, px(200)), 0, px(28))
            return px(240)
        maps = f"{count:,} maps of {layer.shape[1]} × {layer.shape[2]}"
        field = layer.receptive_field
        receptive_field = f"receptive field {field.size} × {field.size} pixels" if field else ""
        facts = (layer.kind, maps, receptive_field, zero)
        self.add_text(0, 0, " · ".join(part for part in facts if part), size=13)
        self._channels = self._channels or layer.order[:_MAX_MAPS]
        side, gap = px(76), px(6)
        columns = max((width + gap) // (side + gap), 1)
        sheet = draw_feature_maps(layer, self._channels, side, gap, columns, self.theme.colors.card)
        self.add_image(sheet, 0, px(28))
        hidden = count - len(self._channels)
        if hidden > 0:
            self.add_text(0, px(36) + sheet.shape[0], f"The {hidden:,} least active maps are not shown.")
        return int(px(60) + sheet.shape[0])


class LayerOverview(_LayerCanvas):
    """Every layer in a row: its name, its shape and its most active maps.

    A click selects a layer; the arrow keys, Home and End move through the rows, and Return selects the framed one.
    """

    def __init__(self, parent: tk.Misc, theme: Theme, on_select: Callable[[str], None]) -> None:
        super().__init__(parent, theme)
        #: Top and name of each row.
        self.rows: list[tuple[int, str]] = []
        self._on_select = on_select
        self._index, self._height = 0, 1
        self.configure(takefocus=True)
        self._frame = self.create_rectangle(0, 0, 0, 0, outline=theme.colors.accent, width=theme.px(2))
        self.bind("<Button-1>", self._click)
        for key, step in (("Up", -1), ("Down", 1), ("Home", -(10**9)), ("End", 10**9)):
            self.bind(f"<{key}>", lambda _event, step=step: self._step(step))  # type: ignore[misc]
        self.bind("<Return>", lambda _event: self._on_select(self.rows[self._index][1]) if self.rows else None)
        self._focused = False
        for event, focused in (("<FocusIn>", True), ("<FocusOut>", False)):
            self.bind(event, lambda _event, focused=focused: self._set_focused(focused))  # type: ignore[misc]

    @property
    def framed_row(self) -> tuple[float, str] | None:
        """Top of the frame and name of the framed row; None without the keyboard focus."""
        if not self.rows or not self._focused:
            return None
        return float(self.coords(self._frame)[1]), self.rows[self._index][1]

    def draw(self, explanation: FaceExplanation) -> int:
        colors, px = self.theme.colors, self.theme.px
        side, gap, left, names = px(46), px(5), px(8), px(198)
        columns = max(min((self.winfo_width() - names) // (side + gap), _OVERVIEW_MAPS), 1)
        self.add_image(draw_crop(explanation.crop, side), names, 0)
        self.add_text(left, px(6), "input", size=13, color=colors.text, bold=True)
        height, width = explanation.crop.shape[:2]
        self.add_text(left, px(25), f"{width} × {height} pixels", size=11)
        top, self.rows = side + px(10), []
        for layer in explanation.layers:
            self.rows.append((top, layer.name))
            self.add_text(left, top + px(6), shorten_name(layer.name, 22), size=13, color=colors.text, bold=True)
            shape = " × ".join(map(str, layer.shape))
            self.add_text(left, top + px(25), f"{layer.kind}, {shape}", size=11)
            if len(layer.shape) == 3:
                channels = layer.order[:columns]
                self.add_image(draw_feature_maps(layer, channels, side, gap, columns, colors.card), names, top)
            else:
                self.add_vector(layer, (columns * (side + gap) - gap, side), names, top)
            top += side + px(10)
        self._height = int(top)
        self._index = min(self._index, max(len(self.rows) - 1, 0))
        self._update_frame()
        return self._height

    def _step(self, step: int) -> str:
        """Frame another row, and scroll to it."""
        self._index = min(max(self._index + step, 0), max(len(self.rows) - 1, 0))
        self._update_frame()
        if self.rows:
            top, bottom = self._row_span()
            visible_top, height = self.canvasy(0), self.winfo_height()
            if top < visible_top or bottom > visible_top + height:
                self.yview_moveto((top if top < visible_top else bottom - height) / self._height)
        return "break"

    def _row_span(self) -> tuple[float, float]:
        """Top and bottom of the framed row; the first includes the input above it."""
        gap = self.theme.px(5)
        top = self.rows[self._index][0]
        following = self.rows[self._index + 1][0] if self._index + 1 < len(self.rows) else self._height
        return (0 if self._index == 0 else top - gap), following - gap

    def _set_focused(self, focused: bool) -> None:
        self._focused = focused
        self._update_frame()

    def _update_frame(self) -> None:
        if not self.rows or not self._focused:
            self.itemconfigure(self._frame, state="hidden")
            return
        top, bottom = self.rows[self._index][0] - self.theme.px(5), self._row_span()[1]
        self.coords(self._frame, 1, top, self.winfo_width() - 2, bottom)
        self.itemconfigure(self._frame, state="normal")
        self.tag_raise(self._frame)

    def _click(self, event: tk.Event[tk.Misc]) -> None:
        y = self.canvasy(event.y)
        above = [name for top, name in self.rows if top <= y]
        if above:
            self._on_select(above[-1])


class LayerView(ttk.Frame):
    """A list of the layers beside the maps of the selected one, or the overview."""

    def __init__(self, parent: tk.Misc, theme: Theme, state: ExplanationState) -> None:
        super().__init__(parent, style="Card.TFrame", padding=theme.px(16))
        self._theme, self._state = theme, state
        self._names: tuple[str, ...] = ()
        self.columnconfigure(1, weight=1)
        self.rowconfigure(1, weight=1, minsize=theme.px(_MIN_HEIGHT))
        head = ttk.Frame(self, style="CardInner.TFrame")
        head.grid(row=0, column=0, columnspan=2, sticky="ew", pady=(0, theme.px(10)))
        ttk.Label(head, text="Layers", style="Card.Strong.TLabel").pack(side="left")
        self._mode = tk.StringVar(self, "maps")
        for mode, text in (("overview", "All layers"), ("maps", "One layer")):
            choice = ttk.Radiobutton(head, text=text, value=mode, variable=self._mode, style="Card.Choice.TRadiobutton")
            choice.configure(command=self._switch)
            choice.pack(side="right", padx=(theme.px(6), 0))
        self.list = ttk.Treeview(self, show="tree", selectmode="browse", height=4)
        self.list.column("#0", width=theme.px(230))
        self.list.grid(row=1, column=0, sticky="ns", padx=(0, theme.px(14)))
        self.list.bind("<<TreeviewSelect>>", self._select_from_list)
        self._maps = FeatureMaps(self, theme)
        self.overview = LayerOverview(self, theme, self._select_from_overview)
        self._bars = {canvas: ttk.Scrollbar(self, command=canvas.yview) for canvas in (self._maps, self.overview)}
        for canvas, bar in self._bars.items():
            canvas.configure(yscrollcommand=bar.set, yscrollincrement=theme.px(20))
        self._switch()

    @property
    def mode(self) -> str:
        """``maps`` or ``overview``."""
        return self._mode.get()

    def set_mode(self, mode: str) -> None:
        self._mode.set(mode)
        self._switch()

    def show(self, explanation: FaceExplanation | None, live: bool) -> None:
        layers = explanation.layers if explanation else ()
        names = tuple(layer.name for layer in layers)
        if names != self._names:
            self._names = names
            self.list.delete(*self.list.get_children())
            for name in names:
                self.list.insert("", "end", iid=name, text=name)
        selected = self._state.layer
        if names and selected not in names:
            # The first activation with feature maps.
            activations = [layer.name for layer in layers if layer.kind == "activation" and len(layer.shape) == 3]
            selected = self._state.layer = (activations or list(names))[0]
        if selected and self.list.selection() != (selected,):
            self.list.selection_set(selected)
            self.list.see(selected)
        self._maps.explanation = self.overview.explanation = explanation
        if self.mode == "maps":
            self._maps.show_layer(selected, live)
        else:
            self.overview.show(explanation)

    def _switch(self) -> None:
        overview = self.mode == "overview"
        visible, hidden = (self.overview, self._maps) if overview else (self._maps, self.overview)
        hidden.grid_forget()
        self._bars[hidden].grid_forget()
        visible.grid(row=1, column=0 if overview else 1, columnspan=2 if overview else 1, sticky="nsew")
        self._bars[visible].grid(row=1, column=2, sticky="ns")
        set_visible(self.list, not overview)
        visible.show(visible.explanation or hidden.explanation)

    def _select_from_list(self, _event: object) -> None:
        for name in self.list.selection():
            self._state.layer = name
            self._maps.show_layer(name, False)
            self._maps.yview_moveto(0)

    def _select_from_overview(self, name: str) -> None:
        self._state.layer = name
        self.set_mode("maps")
        self.list.selection_set(name)
        self.list.see(name)
        # The keyboard focus follows to the list.
        self.list.focus_set()
        self.list.focus(name)


def shorten_name(name: str, length: int) -> str:
    """The end of a layer's name, which is the most specific part."""
    return name if len(name) <= length else f"…{name[1 - length :]}"
