"""The appearance of the window: colours, fonts and sizes in light and dark, and the styles of ttk's widgets.

Widgets are flat with round corners, and have a ring when they have the keyboard focus.
"""

from __future__ import annotations

import tkinter as tk
from dataclasses import dataclass
from itertools import count
from tkinter import font as fonts
from tkinter import ttk
from typing import Any

from PIL import Image, ImageTk

from mien.apps.desktop.drawing import draw_check_box, draw_icon, draw_rounded_square, mix_colors, stretch_middle
from mien.apps.desktop.settings import DesktopSettings, display_scale

#: The preferred fonts of each window system; where none is installed, Tk's default is used.
_FAMILIES = {
    "win32": ("Segoe UI Variable Text", "Segoe UI"),
    "aqua": (".AppleSystemUIFont", "Helvetica Neue"),
    "x11": ("Inter", "Cantarell", "Ubuntu", "Noto Sans", "Open Sans", "Roboto", "DejaVu Sans"),
}

#: The sides of the images behind large areas, and the width of the middle of a button's image, in pixels.
_LARGE_SIDE, _BUTTON_MIDDLE = 400, 120


@dataclass(frozen=True)
class Palette:
    """Colours as ``#rrggbb``: backgrounds of the window, panels and cards, lines, text, and signals."""

    background: str
    panel: str
    card: str
    line: str
    text: str
    muted: str
    accent: str
    on_accent: str
    warning: str
    warning_background: str
    error: str

    @property
    def hover(self) -> str:
        return mix_colors(self.panel, self.text, 0.07)

    @property
    def pressed(self) -> str:
        return mix_colors(self.panel, self.text, 0.14)


DARK = Palette(
    "#14171b", "#1c2025", "#262c33", "#333941", "#e9e7e2", "#a3a9b2", "#5fd0c5",
    "#06201e", "#f0c674", "#2e2717", "#ee9180",
)  # fmt: skip
LIGHT = Palette(
    "#fdfcfa", "#f5f3ef", "#ffffff", "#e3e1dc", "#1c2128", "#5b6470", "#0b6e69",
    "#ffffff", "#8a5a00", "#fdf3dc", "#b3452e",
)  # fmt: skip


class Theme:
    """Colours, sizes and fonts of one window. The images that it makes live as long as it does."""

    def __init__(self, root: tk.Misc, settings: DesktopSettings, previous: Theme | None = None) -> None:
        """``previous`` is the theme until now, whose font family is kept."""
        self.root, self.dark = root, settings.shows_dark
        #: Screen pixels per pixel of the design, without the user's text size.
        self.screen_scale = display_scale(root.winfo_fpixels("1i"))
        #: The same with the text size.
        self.scale = self.screen_scale * settings.text
        self.colors = DARK if self.dark else LIGHT
        self.family: str = previous.family if previous else choose_font_family(root)
        self._fonts: dict[tuple[float, bool], fonts.Font] = {}
        self._photos: dict[tuple[object, ...], ImageTk.PhotoImage] = {}
        self._style_images: list[ImageTk.PhotoImage] = []

    def px(self, pixels: float) -> int:
        """A length of the design in pixels of this screen."""
        return round(pixels * self.scale)

    def font(self, size: float = 14, bold: bool = False) -> fonts.Font:
        """A font so many pixels of the design high."""
        key = size, bold
        if key not in self._fonts:
            weight: Any = "bold" if bold else "normal"
            self._fonts[key] = fonts.Font(self.root, family=self.family, size=-self.px(size), weight=weight)
        return self._fonts[key]

    def icon(self, name: str, color: str | None = None, side: float = 20) -> ImageTk.PhotoImage:
        key = "icon", name, color, side
        if key not in self._photos:
            self._photos[key] = self.photo(draw_icon(name, self.px(side), color or self.colors.text))
        return self._photos[key]

    def face_icon(self, label: str, side: float, labels: tuple[str, ...] = ()) -> ImageTk.PhotoImage:
        """The face that stands for an expression; ``labels`` are all labels of the model."""
        from mien.explain.figures.canvas import draw_icon as draw_face_icon

        key = "face", label, side, labels
        if key not in self._photos:
            self._photos[key] = self.photo(draw_face_icon(label, self.px(side), labels))
        return self._photos[key]

    def photo(self, image: Image.Image) -> ImageTk.PhotoImage:
        return ImageTk.PhotoImage(image, master=self.root)

    def style_image(self, image: Image.Image) -> ImageTk.PhotoImage:
        """An image for a style: ttk holds no reference to it."""
        self._style_images.append(self.photo(image))
        return self._style_images[-1]


def choose_font_family(root: tk.Misc) -> str:
    preferred = _FAMILIES.get(root.tk.call("tk", "windowingsystem"), ())
    installed = frozenset(fonts.families(root))
    default = str(fonts.nametofont("TkDefaultFont", root).actual("family"))
    return next((name for name in preferred if name in installed), default)


_numbers = count(1)


def apply_theme(theme: Theme) -> ttk.Style:
    """Define the styles of this theme for all widgets of ttk. The caller keeps a reference to the result."""
    style = ttk.Style(theme.root)
    style.theme_create(name := f"mien-{next(_numbers)}", parent="clam")
    style.theme_use(name)
    builder = _StyleBuilder(style, theme)
    builder.define_frames_and_labels()
    builder.define_buttons()
    builder.define_fields()
    builder.define_bars()
    builder.define_tables_and_lists()
    return style


class _StyleBuilder:
    """Defines the styles of a theme, by kinds of widgets."""

    def __init__(self, style: ttk.Style, theme: Theme) -> None:
        self._style, self._theme, self._colors, self._px = style, theme, theme.colors, theme.px

    def define_frames_and_labels(self) -> None:
        style, colors, px = self._style, self._colors, self._px
        style.configure(".", background=colors.background, foreground=colors.text, font=self._theme.font(14))
        style.configure(".", focuscolor=colors.accent, troughcolor=colors.line, selectbackground=colors.accent)
        style.configure(".", borderwidth=0)
        style.configure("TFrame", background=colors.background)
        style.configure("Panel.TFrame", background=colors.panel)
        style.configure("CardInner.TFrame", background=colors.card)
        for name, fill, edge in (
            ("Card", colors.card, colors.line),
            ("Soft", colors.panel, colors.panel),
            ("Warn", colors.warning_background, colors.warning_background),
        ):
            square = draw_rounded_square(px(28), px(10), fill, edge, px(1))
            image = stretch_middle(square, px(12), _LARGE_SIDE, "" if name == "Warn" else colors.background)
            self._create_element(f"{name}.shape", image, border=px(12), padding=0, sticky="nsew")
            style.layout(f"{name}.TFrame", [(f"{name}.shape", {"sticky": "nsew"})])
            style.configure(f"{name}.TFrame", background=colors.background)
        backgrounds = {
            "": colors.background,
            "Panel.": colors.panel,
            "Card.": colors.card,
            "Warn.": colors.warning_background,
            "Soft.": colors.panel,
        }
        for prefix, background in backgrounds.items():
            for name, color, size, bold in (
                ("", colors.text, 14, False),
                ("Strong.", colors.text, 14, True),
                ("Muted.", colors.muted, 13, False),
                ("Title.", colors.text, 20, True),
                ("Large.", colors.text, 17, True),
                ("Warning.", colors.warning, 13, False),
                ("Error.", colors.error, 13, False),
            ):
                font = self._theme.font(size, bold)
                style.configure(f"{prefix}{name}TLabel", background=background, foreground=color, font=font)

    def define_buttons(self) -> None:
        """Buttons and menu buttons, the buttons of the pages, rows of choices, and check boxes."""
        colors, px = self._colors, self._px
        bold = self._theme.font(14, True)
        button: Any = ("Button.padding", {"sticky": "nsew", "children": [("Button.label", {"sticky": "nsew"})]})
        parts = [("Menubutton.indicator", {"side": "right", "sticky": ""}), ("Menubutton.label", {"side": "left"})]
        menu_button: Any = ("Menubutton.padding", {"sticky": "nsew", "children": parts})
        for prefix, fill, border, text_color, hover in (
            ("", colors.card, colors.line, colors.text, colors.hover),
            ("Primary.", colors.accent, colors.accent, colors.on_accent, mix_colors(colors.accent, colors.text, 0.15)),
            ("Quiet.", colors.background, colors.background, colors.text, colors.hover),
            ("Panel.Quiet.", colors.panel, colors.panel, colors.text, colors.hover),
        ):
            shape = f"{prefix}Button.shape"
            self._create_button_shape(shape, fill, border, hover, 9)
            options = {"foreground": text_color, "font": bold}
            options["background"] = colors.panel if prefix.startswith("Panel") else colors.background
            padding = (px(14), px(7))
            self._define_control(f"{prefix}TButton", shape, button, anchor="center", padding=padding, **options)
            padding_with_arrow = (*padding, px(8), px(7))
            self._define_control(f"{prefix}TMenubutton", shape, menu_button, padding=padding_with_arrow, **options)
        self._create_element("Menubutton.indicator", self._theme.icon("down", side=18), sticky="", padding=px(2))
        choice = ("Radiobutton.padding", {"sticky": "nsew", "children": [("Radiobutton.label", {"sticky": ""})]})
        self._create_button_shape("Page.shape", colors.panel, colors.panel, colors.hover, 10, colors.pressed)
        page, style = "Page.TRadiobutton", self._style
        self._define_control(page, "Page.shape", choice, padding=(px(6), px(8)), anchor="center", compound="top")
        style.configure(page, background=colors.panel, foreground=colors.muted, font=self._theme.font(12))
        style.map(page, foreground=[("selected", colors.text), ("active", colors.text)])
        self._create_button_shape("Choice.shape", colors.background, colors.line, colors.hover, 9, colors.pressed)
        for name in ("Choice.TRadiobutton", "Choice.TCheckbutton"):
            self._define_control(name, "Choice.shape", choice, font=bold, padding=(px(14), px(7)), anchor="center")

        def box(checked: bool, fill: str, border: str, mark: str) -> Image.Image:
            return draw_check_box(px(20), checked, fill, border, mark)

        self._create_element(
            "Tick.indicator",
            box(False, colors.card, colors.muted, colors.text),
            ("selected", "focus", box(True, colors.accent, colors.text, colors.on_accent)),
            ("selected", box(True, colors.accent, colors.accent, colors.on_accent)),
            ("focus", box(False, colors.card, colors.accent, colors.text)),
            sticky="w",
        )
        self._create_element("Tick.gap", Image.new("RGBA", (px(8), 1)))
        left = {"side": "left", "sticky": ""}
        elements = [(name, left) for name in ("Tick.indicator", "Tick.gap", "Checkbutton.label")]
        padding_element = ("Checkbutton.padding", {"sticky": "nsew", "children": elements})
        self._define_control("TCheckbutton", "", padding_element, font=self._theme.font(14), padding=px(4))

    def define_fields(self) -> None:
        colors, px = self._colors, self._px
        shapes = [self._draw_shape(28, 10, 8, colors.card, *line) for line in ((colors.line, 1), (colors.accent, 2))]
        size = {"border": px(10), "padding": px(2), "width": px(20), "height": px(20)}
        self._create_element("Field.shape", shapes[0], ("focus", shapes[1]), sticky="nsew", **size)
        self._create_element("Field.arrow", self._theme.icon("down", side=18), sticky="", padding=px(3))
        area = ("Combobox.textarea", {"sticky": "nsew"})
        padded = ("Combobox.padding", {"expand": "1", "sticky": "nsew", "children": [area]})
        arrow = ("Field.arrow", {"side": "right", "sticky": "ns"})
        name, padding = "TCombobox", (px(8), px(4))
        self._define_control(name, "Field.shape", arrow, padded, insertcolor=colors.text, padding=padding)
        self._style.configure(name, selectbackground=colors.card, selectforeground=colors.text)
        self._style.map(name, fieldbackground=[])

    def define_bars(self) -> None:
        """Scroll bars, sliders and progress bars: thin, without arrows."""
        style, colors, px, background = self._style, self._colors, self._px, self._colors.background

        def shape(side: int, color: str, border: str | None = None) -> Image.Image:
            return draw_rounded_square(side, side / 2, color, border, max(side / 14, 1))

        for orientation, sticky in (("Vertical", "ns"), ("Horizontal", "ew")):
            name, bar, width = f"{orientation}.Thin.thumb", f"{orientation}.TScrollbar", px(10)
            active = ("active", shape(width, colors.muted))
            self._create_element(name, shape(width, colors.pressed), active, border=width // 2 - 1, sticky="nsew")
            thumb: Any = (name, {"expand": "1", "sticky": "nsew"})
            style.layout(bar, [(f"{orientation}.Scrollbar.trough", {"sticky": sticky, "children": [thumb]})])
            style.configure(bar, troughcolor=background, background=background, borderwidth=0)
            style.configure(bar, bordercolor=background, lightcolor=background, relief="flat")
        track = shape(px(6), colors.line)
        self._create_element("Bar.trough", track, border=px(2), sticky="ew")
        self._create_element("Bar.full", shape(px(6), colors.accent), border=px(2), sticky="ew")
        full: Any = ("Bar.full", {"side": "left", "sticky": "ew"})
        style.layout("Horizontal.TProgressbar", [("Bar.trough", {"sticky": "ew", "children": [full]})])
        knob, active_knob = (shape(px(18), colors.accent, border) for border in (colors.accent, colors.text))
        self._create_element("Knob.slider", knob, ("focus", active_knob), ("active", active_knob), sticky="")
        self._create_element("Knob.trough", track, border=px(2), sticky="ew")
        style.layout("Horizontal.TScale", [("Knob.trough", {"sticky": "ew"}), ("Knob.slider", {"side": "left"})])
        for name in ("Horizontal.TProgressbar", "Horizontal.TScale"):
            style.configure(name, background=background)

    def define_tables_and_lists(self) -> None:
        """Tables, the lists of combo boxes, and the colour behind round corners of widgets on a panel or a card."""
        style, colors, px, theme = self._style, self._colors, self._px, self._theme
        style.layout("Treeview", [("Treeview.treearea", {"sticky": "nsew"})])
        style.configure("Treeview", background=colors.card, fieldbackground=colors.card, foreground=colors.text)
        style.configure("Treeview", rowheight=px(30), font=theme.font(13), borderwidth=0, relief="flat")
        style.map("Treeview", background=[("selected", colors.pressed)], foreground=[("selected", colors.text)])
        style.configure("Treeview.Heading", background=colors.card, foreground=colors.muted, relief="flat")
        style.configure("Treeview.Heading", font=theme.font(12, True), padding=(px(4), px(6)))
        style.map("Treeview.Heading", background=[("active", colors.hover)])
        # These lists belong to Tk and not to ttk.
        for name, value in (
            ("background", colors.card), ("foreground", colors.text), ("selectBackground", colors.accent),
            ("selectForeground", colors.on_accent), ("borderWidth", 0), ("font", theme.font(14)),
        ):  # fmt: skip
            theme.root.option_add(f"*TCombobox*Listbox.{name}", value)
        buttons = ("TButton", "Primary.TButton", "TMenubutton", "Choice.TRadiobutton", "Choice.TCheckbutton")
        for prefix, background in (("Panel", colors.panel), ("Card", colors.card)):
            for name in (*buttons, "TCombobox", "TCheckbutton", "Horizontal.TScale", "Horizontal.TProgressbar"):
                style.configure(f"{prefix}.{name}", background=background)

    def _define_control(self, name: str, shape: str, *content: Any, **options: Any) -> None:
        """A widget whose background is the element ``shape``, if any; its text has another colour while disabled."""
        layout: Any = [(shape, {"sticky": "nsew", "children": list(content)})] if shape else list(content)
        self._style.layout(name, layout)
        colors = {"foreground": self._colors.text, "background": self._colors.background}
        self._style.configure(name, **{**colors, **options})
        self._style.map(name, foreground=[("disabled", self._colors.muted)], background=[])

    def _create_element(self, name: str, image: Any, *states: Any, **options: Any) -> None:
        """An element that is a PIL image, or Tk's; ``states`` are names of states that end with their image."""

        def convert(image: Any) -> Any:
            return self._theme.style_image(image) if isinstance(image, Image.Image) else image

        converted = [(*names, convert(image)) for *names, image in states]
        self._style.element_create(name, "image", convert(image), *converted, **options)

    def _create_button_shape(
        self, name: str, fill: str, border: str, hover: str, radius: int, selected: str = ""
    ) -> None:
        """The background of a button in all of its states; ``selected`` is its colour while it is selected."""
        colors, margin = self._colors, self._px(12)
        ring = colors.text if fill == colors.accent else colors.accent

        def shape(background: str, line: str, width: float = 1) -> Image.Image:
            return self._draw_shape(30, 12, radius, background, line, width)

        selected_shapes = (
            [
                ("selected", "focus", shape(selected, colors.accent, 2)),
                ("selected", shape(selected, selected)),
            ]
            if selected
            else []
        )
        self._create_element(
            name,
            shape(fill, border),
            ("disabled", shape(fill, border)),
            ("pressed", shape(colors.pressed if border != colors.accent else hover, border)),
            *selected_shapes,
            ("focus", "active", shape(hover, ring, 2)),
            ("focus", shape(fill, ring, 2)),
            ("active", shape(hover, border if border == fill else colors.accent)),
            border=margin,
            width=2 * margin,
            height=2 * margin,
            padding=0,
            sticky="nsew",
        )

    def _draw_shape(self, side: int, margin: int, radius: int, fill: str, line: str, width: float = 1) -> Image.Image:
        """A rounded rectangle with a wide middle; lengths are in pixels of the design."""
        square = draw_rounded_square(self._px(side), self._px(radius), fill, line, self._px(width))
        return stretch_middle(square, self._px(margin), 2 * self._px(margin) + _BUTTON_MIDDLE)


def create_menu(theme: Theme, parent: tk.Misc) -> tk.Menu:
    """An empty menu in the theme's colours."""
    colors = theme.colors
    return tk.Menu(
        parent,
        tearoff=False,
        background=colors.card,
        foreground=colors.text,
        activebackground=colors.accent,
        activeforeground=colors.on_accent,
        disabledforeground=colors.muted,
        selectcolor=colors.text,
        activeborderwidth=theme.px(4),
        borderwidth=theme.px(1),
        relief="flat",
        font=theme.font(14),
    )
