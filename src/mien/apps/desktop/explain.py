"""The page that opens the network: what it said, where it looked, and every layer; of a picture, or with the camera."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageTk

from mien.apps.desktop.explanation_state import Insight
from mien.apps.desktop.face_scores import Bars
from mien.apps.desktop.layer_view import Layers
from mien.apps.desktop.rendering import face, legend, over
from mien.apps.desktop.style import Theme, bar
from mien.apps.desktop.widgets import Empty, Flow, Note, Scrolled, Soon, Words, button, card, watch_width
from mien.explain.explanation import METHODS
from mien.results import Score
from mien.text import describe_label, format_percent

if TYPE_CHECKING:
    from mien.apps.desktop.window import Window

#: What the methods are called.
_TOLD = {
    "auto": "the best for this model",
    "cam": "Class map",
    "occlusion": "Covering",
    "rise": "Random masks",
}
_SAID, _OTHERS = "what it said", "anything else"
_SIDE = 216


class Page(ttk.Frame):
    """Shows the inside."""

    def __init__(self, parent: tk.Misc, window: Window) -> None:
        super().__init__(parent)
        self._window, self._theme = window, window.theme
        self._inside, self._album = window.desk.inside, window.desk.album
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self._empty = Empty(
            self,
            self._theme,
            "inside",
            "Open a photo with a face to look inside the network",
            ("Its maps, its layers, where it looked and why it says so.", window.drop_words("a photo")),
            (
                ("Choose photos…", window.dialogs.open_pictures),
                ("Use the camera", lambda: window.desk.show("camera")),
            ),
        )
        self._full = self._built()
        soon = Soon(self, self._show)
        for topic in ("inside", "face", "shot", "card", "camera"):
            window.desk.ground.bells.hear(topic, soon)
        self._show()

    def insight(self, insight: Insight | None) -> None:
        """Show this, from wherever it comes."""
        self._where.show(insight)
        self._bars.show(insight.emotions if insight else None)
        self._layers.show(insight, self._inside.moving)
        if insight is not None:
            top = insight.emotions.ranked()[0]
            self._says.configure(text=f"{describe_label(top.label)} · {format_percent(top.score)}")

    def _built(self) -> ttk.Frame:
        theme, gap = self._theme, self._theme.long(16)
        frame = ttk.Frame(self, padding=(gap, gap, 0, theme.long(8)))
        frame.columnconfigure(0, weight=1)
        frame.rowconfigure(2, weight=1)
        self._ask(frame).grid(row=0, column=0, sticky="ew", pady=(0, theme.long(12)), padx=(0, gap))
        self._note = Note(frame, theme, "")
        around = Scrolled(frame, theme)
        around.grid(row=2, column=0, sticky="nsew")
        body = around.inner
        body.configure(padding=(0, 0, gap, 0))
        said = card(body, theme)
        ttk.Label(said, text="What it said", style="Card.Strong.TLabel").pack(anchor="w")
        self._says = Words(said, style="Card.Large.TLabel")
        self._says.pack(fill="x", pady=theme.long(6))
        self._bars = Bars(said, theme, theme.shades.raised, ranked=False)
        self._bars.pack(fill="x")
        self._where = Where(body, theme)
        self._layers = Layers(body, theme, self._inside)
        self._layers.grid(row=2, column=0, columnspan=2, sticky="nsew", pady=theme.long(12))

        def arrange(narrow: bool) -> None:
            body.columnconfigure(0, weight=1, uniform="" if narrow else "half")
            body.columnconfigure(1, weight=0 if narrow else 1, uniform="" if narrow else "half")
            said.grid(row=0, column=0, columnspan=2 if narrow else 1, sticky="nsew", padx=(0, 0 if narrow else gap))
            place = {"row": 1, "column": 0, "columnspan": 2, "pady": (gap, 0)}
            self._where.grid(
                sticky="nsew", **(place if narrow else {"row": 0, "column": 1, "columnspan": 1, "pady": 0})
            )

        watch_width(body, theme, arrange, 700)
        return frame

    def _ask(self, frame: ttk.Frame) -> ttk.Frame:
        theme, inside = self._theme, self._inside
        self._row = row = Flow(frame, theme)
        self._fields: dict[str, tuple[ttk.Frame, ttk.Combobox, tk.StringVar]] = {}
        asked = {
            "face": ("Face", lambda _text, place: self._album.mean(place)),
            "target": ("Evidence for", lambda text, place: inside.ask(target=text if place else None)),
            "versus": ("rather than", lambda text, place: inside.ask(versus=text if place else None)),
            "method": ("Found by", lambda _text, place: inside.ask(method=("auto", *METHODS)[place])),
        }
        for name, (words, chosen) in asked.items():
            part, value = ttk.Frame(row), tk.StringVar(self)
            ttk.Label(part, text=words, style="Muted.TLabel").pack(anchor="w")
            field = ttk.Combobox(part, textvariable=value, state="readonly", width=8 if name == "face" else 16)
            field.configure(font=theme.letters(14))
            field.pack()
            field.bind(
                "<<ComboboxSelected>>",
                lambda _event, chosen=chosen, field=field: chosen(field.get(), field.current()),  # type: ignore[misc]
            )
            row.add(part, 12)
            self._fields[name] = part, field, value
        self._fields["method"][1].configure(values=[_TOLD[name] for name in ("auto", *METHODS)], width=22)
        self._report = button(row, theme, "Report…", lambda: self._window.dialogs.save("report"), icon="save")
        row.add(self._report)
        self._live = tk.BooleanVar(self, self._inside.moving)
        self._switch = ttk.Checkbutton(row, text="With the camera", variable=self._live, style="Choice.TCheckbutton")
        self._switch.configure(command=lambda: self._window.move_inside(self._live.get()))
        row.add(self._switch, 12)
        self._busy = ttk.Label(row, style="Muted.TLabel", padding=theme.long(6))
        row.add(self._busy)
        return row

    def _show(self) -> None:
        inside, camera = self._inside, self._window.desk.camera
        if not inside.moving and self._album.reading is None:
            self._full.grid_forget()
            if camera.watching is None:
                self._empty.grid(row=0, column=0, sticky="nsew")
                return
            self._window.move_inside(True)
        self._empty.grid_forget()
        self._full.grid(row=0, column=0, sticky="nsew")
        self._live.set(inside.moving)
        self._row.leave_out(self._switch, camera.watching is None)
        self._show_fields()
        shown = inside.shown
        words = str(inside.error) if inside.error else "" if shown is None else " ".join(shown.notes)
        self._note.say(words)
        if words and not inside.moving:
            self._note.grid(
                row=1, column=0, sticky="ew", padx=(0, self._theme.long(16)), pady=(0, self._theme.long(12))
            )
        else:
            self._note.grid_forget()
        self._busy.configure(text="looking …")
        self._row.leave_out(self._busy, not inside.busy)
        if not inside.moving and shown is not None:
            self.insight(shown)

    def _show_fields(self) -> None:
        question, labels = self._inside.question, self._window.desk.ground.labels
        many = len(self._album.readings)
        self._fill("face", [f"{face + 1} of {many}" for face in range(many)], self._album.face)
        target = labels.index(question.target) + 1 if question.target in labels else 0
        self._fill("target", [_SAID, *labels], target)
        others = [_OTHERS, *(label for label in labels if label != question.target)]
        self._fill("versus", others, others.index(question.versus) if question.versus in others else 0)
        self._fill("method", None, ("auto", *METHODS).index(question.method))
        for name in ("face", "method"):
            self._fields[name][1].state(["disabled" if self._inside.moving else "!disabled"])
        self._report.state(["disabled" if self._inside.moving else "!disabled"])

    def _fill(self, name: str, values: list[str] | None, place: int) -> None:
        _, field, value = self._fields[name]
        if values is not None:
            field.configure(values=values)
        shown = field.cget("values")
        value.set(shown[place] if place < len(shown) else "")


class Where(ttk.Frame):
    """Where it looked: the map over the face, a slider for its strength, and the parts of the face."""

    def __init__(self, parent: tk.Misc, theme: Theme) -> None:
        super().__init__(parent, style="Card.TFrame", padding=theme.long(16))
        self._theme = theme
        self._insight: Insight | None = None
        self._strength = tk.DoubleVar(self, 1.0)
        self.columnconfigure(1, weight=1)
        self._title = Words(self, "Where it looked", "Card.Strong.TLabel")
        self._title.grid(row=0, column=0, columnspan=2, sticky="ew")
        side = theme.long(_SIDE)
        self._canvas = tk.Canvas(self, width=side, height=side + theme.long(34), highlightthickness=0)
        self._canvas.configure(background=theme.shades.raised)
        self._canvas.grid(row=1, column=0, sticky="nw", pady=(theme.long(8), 0))
        self._photo: ImageTk.PhotoImage | None = None
        self._item = self._canvas.create_image(0, 0, anchor="nw")
        self._scale = self._canvas.create_image(0, side + theme.long(8), anchor="nw")
        text: dict[str, Any] = {"fill": theme.shades.muted, "font": theme.letters(11)}
        self._least = self._canvas.create_text(0, side + theme.long(18), anchor="nw", **text)
        self._most = self._canvas.create_text(side, side + theme.long(18), anchor="ne", **text)
        self._regions = tk.Canvas(self, background=theme.shades.raised, highlightthickness=0, width=10, height=10)
        self._regions.grid(row=1, column=1, sticky="nsew", padx=(theme.long(16), 0), pady=(theme.long(8), 0))
        self._slider = ttk.Scale(
            self, style="Card.Horizontal.TScale", variable=self._strength, command=lambda _value: self._draw()
        )
        self._slider.grid(row=2, column=0, sticky="ew", pady=(theme.long(4), 0))
        self._photos: list[ImageTk.PhotoImage] = []
        self._legends: dict[bool, ImageTk.PhotoImage] = {}
        self._regions.bind("<Configure>", lambda _event: self._draw_regions())

    def show(self, insight: Insight | None) -> None:
        self._insight = insight
        self._draw()
        self._draw_regions()

    def _draw(self) -> None:
        insight, side = self._insight, self._theme.long(_SIDE)
        if insight is None:
            return
        pixels, saliency = face(insight.crop, side), insight.map
        if saliency is not None:
            pixels = over(pixels, saliency, self._strength.get())
            self._tell(saliency.target, saliency.versus)
            ends = (saliency.versus, saliency.target) if saliency.versus else ("none", "most")
        else:
            ends = ("", "")
        self._legend(saliency is not None, bool(saliency and saliency.versus))
        for item, words in zip((self._least, self._most), ends, strict=True):
            self._canvas.itemconfigure(item, text=words)
        if self._photo is None:
            self._photo = self._theme.photo(Image.fromarray(pixels))
            self._canvas.itemconfigure(self._item, image=self._photo)
        else:
            self._photo.paste(Image.fromarray(pixels))

    def _tell(self, target: str, versus: str | None) -> None:
        rather = f" rather than “{versus}”" if versus else ""
        self._title.configure(text=f"Where it looked for “{target}”{rather}")

    def _legend(self, shown: bool, signed: bool) -> None:
        if signed not in self._legends:
            size = self._theme.long(_SIDE), self._theme.long(7)
            self._legends[signed] = self._theme.photo(Image.fromarray(legend(signed, size)))
        self._canvas.itemconfigure(self._scale, image=self._legends[signed] if shown else "")

    def _draw_regions(self) -> None:
        canvas, insight = self._regions, self._insight
        canvas.delete("all")
        self._photos = []
        regions = insight.regions if insight else None
        if regions is None or canvas.winfo_width() < 40:
            return
        for place, share in enumerate(sorted(regions.evidence, key=lambda share: -share.score)):
            self._region(place, share)
        basis = "by this face’s own points" if regions.basis == "landmarks" else "by where these lie in most faces"
        theme, top = self._theme, self._theme.long(34 * len(regions.evidence) + 8)
        words: dict[str, Any] = {"fill": theme.shades.muted, "font": theme.letters(12), "width": canvas.winfo_width()}
        canvas.create_text(0, top, text=f"Shares of the evidence, {basis}.", anchor="nw", **words)

    def _region(self, place: int, share: Score) -> None:
        theme, long, canvas = self._theme, self._theme.long, self._regions
        top, right = long(34 * place), canvas.winfo_width()
        text: dict[str, Any] = {"fill": theme.shades.ink, "font": theme.letters(13)}
        canvas.create_text(0, top, text="elsewhere" if share.label == "rest" else share.label, anchor="nw", **text)
        canvas.create_text(right, top, text=format_percent(share.score), anchor="ne", **text)
        shades = theme.shades
        image = bar(max(right, 8), long(6), share.score, shades.accent, shades.line, shades.raised)
        self._photos.append(theme.photo(image))
        canvas.create_image(0, top + long(20), image=self._photos[-1], anchor="nw")
