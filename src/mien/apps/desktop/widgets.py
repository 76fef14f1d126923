"""Widgets of every page: wrapping labels and rows, buttons, tooltips, images, scrolling, notices, the empty page."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from tkinter import ttk
from typing import Any

from PIL import Image, ImageTk

from mien.apps.desktop.style import Theme
from mien.results import Box, Pixels

#: A page narrower than this, in pixels of the design, arranges its parts in one column.
_NARROW = 760

#: Milliseconds until a tooltip appears.
_TOOLTIP_DELAY = 600


# Layout


class FlowLayout(ttk.Frame):
    """Widgets in a row that continues in the next line where there is no more space; ``align`` is left or center."""

    def __init__(self, parent: tk.Misc, theme: Theme, style: str = "TFrame", *, align: str = "left") -> None:
        super().__init__(parent, style=style, height=1, width=1)
        self._theme, self._align = theme, align
        self._items: list[tuple[tk.Widget, int]] = []
        self._hidden: set[tk.Widget] = set()
        self.bind("<Configure>", lambda _event: self._arrange())

    def add(self, widget: tk.Widget, gap: float = 8) -> None:
        """``widget`` is a child of this frame; ``gap`` is the space after it."""
        self._items.append((widget, self._theme.px(gap)))
        widget.bind("<Configure>", lambda _event: self._arrange(), add=True)
        self._arrange()

    def set_visible(self, widget: tk.Widget, visible: bool) -> None:
        if visible:
            self._hidden.discard(widget)
        else:
            self._hidden.add(widget)
            widget.place_forget()
        self._arrange()

    def _arrange(self) -> None:
        visible = [(widget, gap) for widget, gap in self._items if widget not in self._hidden]
        width = self.winfo_width()
        # Before the frame has a width of its own it requests one line.
        space = width if width > 1 else sum(widget.winfo_reqwidth() + gap for widget, gap in visible)
        top = 0
        for line in _split_lines(visible, space):
            height = max(widget.winfo_reqheight() for widget, _ in line)
            line_width = sum(widget.winfo_reqwidth() + gap for widget, gap in line) - line[-1][1]
            left = 0 if self._align == "left" else (space - line_width) // 2
            for widget, gap in line:
                widget.place(
                    x=max(left, 0),
                    y=top + height - widget.winfo_reqheight(),
                    width=min(widget.winfo_reqwidth(), space),
                )
                left += widget.winfo_reqwidth() + gap
            top += height + self._theme.px(8)
        height = max(top - self._theme.px(8), 1)
        widest = max((widget.winfo_reqwidth() for widget, _ in visible), default=1)
        if (int(str(self.cget("height"))), int(str(self.cget("width")))) != (height, widest):
            self.configure(height=height, width=widest)


def _split_lines(items: list[tuple[tk.Widget, int]], space: int) -> list[list[tuple[tk.Widget, int]]]:
    lines: list[list[tuple[tk.Widget, int]]] = []
    used = 0
    for widget, gap in items:
        if not lines or used + widget.winfo_reqwidth() > space:
            lines.append([])
            used = 0
        lines[-1].append((widget, gap))
        used += widget.winfo_reqwidth() + gap
    return lines


def on_narrow(widget: tk.Misc, theme: Theme, arrange: Callable[[bool], None], limit: float = _NARROW) -> None:
    """Call ``arrange`` with whether the widget is narrow, now and whenever that changes."""
    previous: list[bool] = []

    def resize(event: tk.Event[tk.Misc]) -> None:
        narrow = event.width < theme.px(limit)
        if event.widget is widget and previous != [narrow]:
            previous[:] = [narrow]
            arrange(narrow)

    widget.bind("<Configure>", resize, add=True)
    arrange(False)


class IdleCallback:
    """Calls a function once when Tk is idle, however often it was requested; not after the widget is destroyed."""

    def __init__(self, widget: tk.Misc, callback: Callable[[], None]) -> None:
        self._widget, self._callback = widget, callback
        self._job: str | None = None
        widget.bind("<Destroy>", self._cancel, add=True)

    def __call__(self, _event: object = None) -> None:
        if self._job is None and self._widget.winfo_exists():
            self._job = self._widget.after_idle(self._run)

    def _run(self) -> None:
        self._job = None
        self._callback()

    def _cancel(self, event: tk.Event[tk.Misc]) -> None:
        if event.widget is self._widget and self._job is not None:
            self._widget.after_cancel(self._job)
            self._job = None


def set_visible(widget: tk.Widget, visible: bool) -> None:
    """Show or hide a widget that was placed with ``grid`` before."""
    if visible:
        widget.grid()
    else:
        widget.grid_remove()


class PageFrame(ttk.Frame):
    """A frame that shows one of its children at a time, in its whole area."""

    def __init__(self, parent: tk.Misc) -> None:
        super().__init__(parent)
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)

    def show_content(self, content: tk.Widget) -> None:
        for child in self.grid_slaves():
            if child is not content:
                child.grid_forget()
        content.grid(row=0, column=0, sticky="nsew")


# Labels, buttons, cards


class WrappedLabel(ttk.Label):
    """A label that wraps its text to its width, and requests no width of its own.

    If it requested the width of its lines, its width would depend on the line breaks, and these on its width.
    """

    def __init__(self, parent: tk.Misc, text: str = "", style: str = "TLabel") -> None:
        super().__init__(parent, text=text, style=style, justify="left", width=1)
        self.bind("<Configure>", self._wrap)

    def _wrap(self, event: tk.Event[tk.Misc]) -> None:
        if abs(int(str(self.cget("wraplength") or 0)) - event.width) > 2:
            self.configure(wraplength=event.width)


def create_button(
    parent: tk.Misc,
    theme: Theme,
    text: str,
    command: Callable[[], object],
    *,
    icon: str = "",
    style: str = "TButton",
    tooltip: str = "",
) -> ttk.Button:
    """A button; ``icon`` is the name of an icon beside its text."""
    button = ttk.Button(parent, text=f" {text}" if icon and text else text, command=command, style=style)
    if icon:
        color = theme.colors.on_accent if "Primary." in style else theme.colors.text
        # Without an image for the disabled state Tk would dim the icon with a raster.
        images: Any = theme.icon(icon, color), "disabled", theme.icon(icon, theme.colors.muted)
        button.configure(image=images, compound="left")
    if tooltip:
        Tooltip(button, theme, tooltip)
    return button


class Tooltip:
    """Help that appears when the mouse rests on a widget."""

    def __init__(self, widget: tk.Widget, theme: Theme, text: str) -> None:
        self._widget, self._theme, self.text = widget, theme, text
        self._job: str | None = None
        self._top: tk.Toplevel | None = None
        widget.bind("<Enter>", self._wait, add=True)
        for event in ("<Leave>", "<ButtonPress>", "<Destroy>", "<FocusOut>"):
            widget.bind(event, self._hide, add=True)

    def _wait(self, _event: object) -> None:
        self._hide()
        self._job = self._widget.after(_TOOLTIP_DELAY, self._show)

    def _show(self) -> None:
        theme, widget = self._theme, self._widget
        self._top = top = tk.Toplevel(widget, background=theme.colors.line)
        top.overrideredirect(True)
        label = tk.Label(top, text=self.text, background=theme.colors.card, foreground=theme.colors.text)
        label.configure(font=theme.font(13), padx=theme.px(10), pady=theme.px(5), justify="left")
        label.configure(wraplength=theme.px(320))
        label.pack(padx=1, pady=1)
        top.geometry(f"+{widget.winfo_rootx()}+{widget.winfo_rooty() + widget.winfo_height() + theme.px(6)}")

    def _hide(self, _event: object = None) -> None:
        with suppress(tk.TclError):  # the window is being destroyed
            if self._job:
                self._widget.after_cancel(self._job)
            if self._top:
                self._top.destroy()
        self._job = self._top = None


def create_card(parent: tk.Misc, theme: Theme) -> ttk.Frame:
    """A frame with round corners and padding."""
    return ttk.Frame(parent, style="Card.TFrame", padding=theme.px(16))


class Notice(ttk.Frame):
    """A warning or an error in a box."""

    def __init__(self, parent: tk.Misc, theme: Theme, text: str = "") -> None:
        super().__init__(parent, style="Warn.TFrame", padding=(theme.px(14), theme.px(10)))
        self.columnconfigure(1, weight=1)
        icon = ttk.Label(self, image=theme.icon("warning", theme.colors.warning), style="Warn.TLabel")
        icon.grid(row=0, column=0, sticky="n")
        self._text = WrappedLabel(self, text, "Warn.TLabel")
        self._text.grid(row=0, column=1, sticky="ew", padx=(theme.px(12), 0))

    def set_text(self, text: str) -> None:
        self._text.configure(text=text)


# Images on a canvas


class CanvasImage:
    """An image on a canvas whose pixels can be replaced quickly: the photo is reused while its size stays the same."""

    def __init__(self, canvas: tk.Canvas, x: float = 0, y: float = 0) -> None:
        self._canvas = canvas
        self._photo: ImageTk.PhotoImage | None = None
        self._item = canvas.create_image(x, y, anchor="nw")

    def show(self, image: Pixels | Image.Image) -> None:
        image = image if isinstance(image, Image.Image) else Image.fromarray(image)
        if self._photo is None or (self._photo.width(), self._photo.height()) != image.size:
            self._photo = ImageTk.PhotoImage(image, master=self._canvas)
            self._canvas.itemconfigure(self._item, image=self._photo)
        else:
            self._photo.paste(image)

    def move(self, x: float, y: float) -> None:
        self._canvas.coords(self._item, x, y)

    def hide(self) -> None:
        self._canvas.itemconfigure(self._item, image="")
        self._photo = None


class ImageView(tk.Canvas):
    """Shows an image in the middle of a canvas.

    ``on_resize`` is called with the available width and height: images are scaled elsewhere, not in Tk's thread.
    ``on_click`` is called with x and y in pixels of the image.
    """

    def __init__(
        self,
        parent: tk.Misc,
        theme: Theme,
        on_resize: Callable[[int, int], None],
        on_click: Callable[[float, float], None] | None = None,
    ) -> None:
        colors = theme.colors
        super().__init__(parent, background=colors.panel, highlightthickness=0, width=10, height=10)
        self._theme, self._on_resize, self._on_click = theme, on_resize, on_click
        self._image = CanvasImage(self)
        self._pixels: Pixels | None = None
        #: Left and top of the image in the canvas.
        self.corner = (0, 0)
        self._text = self.create_text(0, 0, fill=colors.muted, font=theme.font(15), justify="center")
        self.bind("<Configure>", self._resize)
        self.bind("<Button-1>", self._click)

    @property
    def available_size(self) -> tuple[int, int]:
        """Width and height of the largest image that fits."""
        margin = self._theme.px(12)
        return max(self.winfo_width() - 2 * margin, 1), max(self.winfo_height() - 2 * margin, 1)

    def show(self, pixels: Pixels | None, text: str = "") -> None:
        """Show these pixels, or ``text`` where there are none."""
        self.itemconfigure(self._text, text=text if pixels is None else "")
        if pixels is not None:
            self._center(pixels)
        if pixels is not self._pixels:
            self._pixels = pixels
            if pixels is None:
                self._image.hide()
            else:
                self._image.show(pixels)

    def mark(self, box: Box | None) -> None:
        """Draw a frame around this box, in pixels of the image."""
        self.delete("mark")
        if box:
            x, y, gap = self.corner[0] + box.x, self.corner[1] + box.y, self._theme.px(5)
            corners = x - gap, y - gap, x + box.width + gap, y + box.height + gap
            self.create_rectangle(*corners, outline=self._theme.colors.accent, width=self._theme.px(2), tags="mark")

    def _center(self, pixels: Pixels) -> None:
        self.corner = (self.winfo_width() - pixels.shape[1]) // 2, (self.winfo_height() - pixels.shape[0]) // 2
        self._image.move(*self.corner)

    def _resize(self, event: tk.Event[tk.Misc]) -> None:
        self.coords(self._text, event.width // 2, event.height // 2)
        self.itemconfigure(self._text, width=max(event.width - self._theme.px(60), 50))
        if self._pixels is not None:
            self.mark(None)
            self._center(self._pixels)
        self._on_resize(*self.available_size)

    def _click(self, event: tk.Event[tk.Misc]) -> None:
        if self._on_click and self._pixels is not None:
            self._on_click(event.x - self.corner[0], event.y - self.corner[1])


# Scrolling


def add_scrollbar(parent: tk.Misc, scrollable: Any) -> ttk.Scrollbar:
    """A scroll bar at the right of a list or a canvas, visible only while there is something to scroll."""
    bar = ttk.Scrollbar(parent, orient="vertical", command=scrollable.yview)

    def update(first: str, last: str) -> None:
        bar.set(first, last)
        all_visible = float(first) <= 0.0 and float(last) >= 1.0
        if all_visible and bar.winfo_ismapped():
            bar.pack_forget()
        elif not all_visible and not bar.winfo_ismapped():
            bar.pack(side="right", fill="y", before=scrollable)

    scrollable.configure(yscrollcommand=update)
    return bar


class ScrollFrame(ttk.Frame):
    """A frame that scrolls vertically; its widgets go into ``inner``. With ``fill`` they use at least its height."""

    def __init__(
        self, parent: tk.Misc, theme: Theme, style: str = "TFrame", *, width: int = 0, fill: bool = False
    ) -> None:
        super().__init__(parent, style=style)
        self._fill = fill
        background = theme.colors.panel if style.startswith("Panel") else theme.colors.background
        self._canvas = tk.Canvas(self, background=background, highlightthickness=0, yscrollincrement=theme.px(24))
        if width:
            self._canvas.configure(width=theme.px(width))
        self._bar = ttk.Scrollbar(self, orient="vertical", command=self._canvas.yview)
        self._canvas.configure(yscrollcommand=self._bar.set)
        self._canvas.pack(side="left", fill="both", expand=True)
        self.inner = ttk.Frame(self._canvas, style=style)
        self._item = self._canvas.create_window(0, 0, window=self.inner, anchor="nw")
        self.inner.bind("<Configure>", self._fit)
        self._canvas.bind("<Configure>", self._fit)
        for event in ("<MouseWheel>", "<Button-4>", "<Button-5>"):
            self.bind_all(event, _scroll_by_wheel)

    @property
    def position(self) -> float:
        """The part of the content above the visible part, 0 at the top."""
        return float(self._canvas.yview()[0])

    def scroll_to_top(self) -> None:
        self._canvas.yview_moveto(0)

    def scroll_pages(self, pages: int) -> None:
        self._canvas.yview_scroll(pages, "pages")

    def set_width(self, width: int) -> None:
        """Request so many pixels."""
        self._canvas.configure(width=width)

    def _fit(self, _event: object) -> None:
        width, height = self._canvas.winfo_width(), self.inner.winfo_reqheight()
        self._canvas.itemconfigure(self._item, width=width)
        if self._fill:
            self._canvas.itemconfigure(self._item, height=max(height, self._canvas.winfo_height()))
        self._canvas.configure(scrollregion=(0, 0, width, max(height, 1)))
        too_tall = height > self._canvas.winfo_height() + 1
        if too_tall and not self._bar.winfo_ismapped():
            self._bar.pack(side="right", fill="y")
        elif not too_tall and self._bar.winfo_ismapped():
            self._bar.pack_forget()
            self._canvas.yview_moveto(0)


def _scroll_by_wheel(event: tk.Event[tk.Misc]) -> None:
    """Scroll the widget under the mouse, or the nearest one around it that can be scrolled."""
    widget: Any = event.widget
    direction = -1 if event.num == 4 or event.delta > 0 else 1
    while isinstance(widget, tk.Misc) and not isinstance(widget, ttk.Treeview):  # which scrolls itself
        if isinstance(widget, tk.Canvas) and widget.cget("scrollregion") and widget.yview() != (0.0, 1.0):
            widget.yview_scroll(2 * direction, "units")
            return
        widget = widget.master


class PageHeader(ttk.Frame):
    """The title of a page, a line of facts, and at the right the button Open; others are added to ``buttons``."""

    def __init__(self, parent: tk.Misc, theme: Theme, on_open: Callable[[], None], padding: Any = 0) -> None:
        super().__init__(parent, padding=padding)
        self.columnconfigure(0, weight=1)
        self._title, self._facts = WrappedLabel(self, style="Title.TLabel"), WrappedLabel(self, style="Muted.TLabel")
        self._title.grid(row=0, column=0, sticky="ew")
        self._facts.grid(row=1, column=0, sticky="ew")
        self.buttons = ttk.Frame(self)
        self.buttons.grid(row=0, column=1, rowspan=2, sticky="e")
        create_button(self.buttons, theme, "Open…", on_open, icon="open").pack(side="left")

    def show(self, title: str, facts: Iterable[str]) -> None:
        """Empty facts are left out."""
        self._title.configure(text=title)
        self._facts.configure(text=" · ".join(filter(None, facts)))


class EmptyPage(ScrollFrame):
    """A page without content, which says how to open something; the first button is the main one."""

    def __init__(
        self,
        parent: tk.Misc,
        theme: Theme,
        icon: str,
        title: str,
        sentences: Sequence[str],
        buttons: Sequence[tuple[str, Any]],
    ) -> None:
        super().__init__(parent, theme, fill=True)
        self._theme = theme
        self.inner.columnconfigure(0, weight=1)
        for row in (0, 2):
            self.inner.rowconfigure(row, weight=1)
        box = ttk.Frame(self.inner, style="Soft.TFrame", padding=(theme.px(40), theme.px(32)))
        box.grid(row=1, column=0, padx=theme.px(16), pady=theme.px(16))
        image = theme.icon(icon, theme.colors.muted, 56)
        ttk.Label(box, image=image, style="Soft.TLabel").pack(pady=(0, theme.px(14)))
        centered: dict[str, Any] = {"wraplength": theme.px(400), "justify": "center"}
        ttk.Label(box, text=title, style="Soft.Title.TLabel", **centered).pack()
        for sentence in sentences:
            ttk.Label(box, text=sentence, style="Soft.Muted.TLabel", **centered).pack(pady=(theme.px(8), 0))
        button_row = ttk.Frame(box, style="Panel.TFrame")
        button_row.pack(pady=(theme.px(24), 0))
        for place, (text, command) in enumerate(buttons):
            style = "Panel.Primary.TButton" if place == 0 else "Panel.TButton"
            create_button(button_row, theme, text, command, style=style).pack(side="left", padx=theme.px(5))

    def add_examples(self, text: str, buttons: Sequence[tuple[str, Any]], tooltip: str) -> None:
        """A row of buttons below the box."""
        row = FlowLayout(self.inner, self._theme, align="center")
        row.grid(row=2, column=0, sticky="new", pady=(0, self._theme.px(16)))
        row.add(ttk.Label(row, text=text, style="Muted.TLabel", padding=self._theme.px(6)))
        for name, command in buttons:
            row.add(create_button(row, self._theme, name, command, style="Quiet.TButton", tooltip=tooltip), 0)
