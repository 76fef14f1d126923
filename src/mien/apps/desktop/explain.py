"""The page Explain: the prediction, the evidence map and all layers, for a face of an image or before the camera."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import Any

from PIL import Image, ImageTk

from mien.apps.desktop.commands import PageOwner
from mien.apps.desktop.drawing import draw_bar, draw_color_scale, draw_crop, overlay_map
from mien.apps.desktop.explanation_state import FaceExplanation
from mien.apps.desktop.face_scores import ScoreBars
from mien.apps.desktop.layer_view import LayerView
from mien.apps.desktop.style import Theme
from mien.apps.desktop.widgets import (
    CanvasImage,
    EmptyPage,
    FlowLayout,
    IdleCallback,
    Notice,
    PageFrame,
    ScrollFrame,
    WrappedLabel,
    create_button,
    create_card,
    on_narrow,
    set_visible,
)
from mien.explain.explanation import AUTO_METHOD, MAP_METHODS
from mien.results import Score
from mien.text import describe_label, format_percent

#: The methods by name, the automatic one first.
_METHODS = {AUTO_METHOD.name: AUTO_METHOD.title} | {name: method.title for name, method in MAP_METHODS.items()}

#: The first entries of the fields: the leading label, and no label to compare with.
_PREDICTION, _ALL_OTHERS = "the prediction", "all others"

#: The side of the evidence map, in pixels of the design.
_MAP_SIDE = 216


class ExplainPage(PageFrame):
    """Shows the explanation of the selected face, or how to open an image."""

    def __init__(self, parent: tk.Misc, window: PageOwner) -> None:
        super().__init__(parent)
        self._window, self._theme, self._application = window, window.theme, window.application
        self._state, self._images = window.application.explanation, window.application.images
        self._empty = EmptyPage(
            self,
            self._theme,
            "explain",
            "Open a photo with a face to explain its prediction",
            ("The evidence map, its regions, and the feature maps of all layers.", window.describe_input("a photo")),
            (
                ("Choose photos…", window.dialogs.open_images),
                ("Use the camera", lambda: self._application.show_page("camera")),
            ),
        )
        self._content = self._build()
        self._application.state.events.subscribe(
            IdleCallback(self, self._show), "explanation", "face", "image", "card", "camera"
        )
        self._show()

    def show(self, explanation: FaceExplanation) -> None:
        """Show an explanation, of an image or of the camera."""
        self._map.show(explanation)
        self._bars.show(explanation.emotions)
        self.layers.show(explanation, self._state.live)
        label, score = explanation.emotions.ranked()[0]
        self._headline.configure(text=f"{describe_label(label)} · {format_percent(score)}")

    def select(self, name: str, index: int) -> None:
        """Select an entry of the field ``face``, ``target``, ``versus`` or ``method``, as a user does."""
        field = self._fields[name]
        field.current(index)
        field.event_generate("<<ComboboxSelected>>")

    # Layout

    def _build(self) -> ttk.Frame:
        theme, gap = self._theme, self._theme.px(16)
        frame = ttk.Frame(self, padding=(gap, gap, 0, theme.px(8)))
        frame.columnconfigure(0, weight=1)
        frame.rowconfigure(2, weight=1)
        self._build_request(frame).grid(row=0, column=0, sticky="ew", pady=(0, theme.px(12)), padx=(0, gap))
        self._notice = Notice(frame, theme)
        self._notice.grid(row=1, column=0, sticky="ew", padx=(0, gap), pady=(0, theme.px(12)))
        scroll_frame = ScrollFrame(frame, theme)
        scroll_frame.grid(row=2, column=0, sticky="nsew")
        body = scroll_frame.inner
        body.configure(padding=(0, 0, gap, 0))
        prediction = create_card(body, theme)
        ttk.Label(prediction, text="Prediction", style="Card.Strong.TLabel").pack(anchor="w")
        self._headline = WrappedLabel(prediction, style="Card.Large.TLabel")
        self._headline.pack(fill="x", pady=theme.px(6))
        self._bars = ScoreBars(prediction, theme, theme.colors.card)
        self._bars.pack(fill="x")
        self._map = EvidenceMap(body, theme)
        self.layers = LayerView(body, theme, self._state)
        self.layers.grid(row=2, column=0, columnspan=2, sticky="nsew", pady=theme.px(12))

        def arrange(narrow: bool) -> None:
            uniform = "" if narrow else "half"
            body.columnconfigure(0, weight=1, uniform=uniform)
            body.columnconfigure(1, weight=0 if narrow else 1, uniform=uniform)
            row, column, columns = (1, 0, 2) if narrow else (0, 1, 1)
            prediction.grid(row=0, column=0, columnspan=columns, sticky="nsew", padx=(0, 0 if narrow else gap))
            self._map.grid(row=row, column=column, columnspan=columns, sticky="nsew", pady=(gap * row, 0))

        on_narrow(body, theme, arrange, 700)
        return frame

    def _build_request(self, frame: ttk.Frame) -> ttk.Frame:
        theme, state = self._theme, self._state
        self._row = row = FlowLayout(frame, theme)
        self._fields: dict[str, ttk.Combobox] = {}
        fields = {
            "face": ("Face", lambda _text, index: self._images.select_face(index)),
            "target": ("Evidence for", lambda text, index: state.update(target=text if index else None)),
            "versus": ("compared with", lambda text, index: state.update(versus=text if index else None)),
            "method": ("Method", lambda _text, index: state.update(method=tuple(_METHODS)[index])),
        }
        for name, (caption, select) in fields.items():
            part = ttk.Frame(row)
            ttk.Label(part, text=caption, style="Muted.TLabel").pack(anchor="w")
            field = ttk.Combobox(part, state="readonly", width={"face": 8, "method": 26}.get(name, 16))
            field.configure(font=theme.font(14))
            field.pack()
            field.bind(
                "<<ComboboxSelected>>",
                lambda _event, select=select, field=field: select(field.get(), field.current()),  # type: ignore[misc]
            )
            row.add(part, 12)
            self._fields[name] = field
        save_walkthrough = lambda: self._window.dialogs.save_images("report")  # noqa: E731
        self._walkthrough = create_button(row, theme, "Walkthrough…", save_walkthrough, icon="save")
        row.add(self._walkthrough)
        self._live = tk.BooleanVar(self, state.live)
        self._live_switch = ttk.Checkbutton(row, text="Camera", variable=self._live, style="Choice.TCheckbutton")
        self._live_switch.configure(command=lambda: self._window.explain_camera(self._live.get()))
        row.add(self._live_switch, 12)
        self._busy = ttk.Label(row, style="Muted.TLabel", text="computing …", padding=theme.px(6))
        row.add(self._busy)
        return row

    # Content

    def _show(self) -> None:
        state, camera_off = self._state, self._application.camera.reader is None
        if not state.live and self._images.reading is None:
            if camera_off:
                self.show_content(self._empty)
                return
            self._window.explain_camera(True)
        self.show_content(self._content)
        self._live.set(state.live)
        self._row.set_visible(self._live_switch, not camera_off)
        self._row.set_visible(self._busy, state.busy)
        self._show_request()
        explanation = state.displayed
        notice = str(state.error) if state.error else " ".join(explanation.notes) if explanation else ""
        self._notice.set_text(notice)
        set_visible(self._notice, bool(notice) and not state.live)
        if not state.live and explanation is not None:
            self.show(explanation)

    def _show_request(self) -> None:
        request, labels, images = self._state.request, self._application.state.labels, self._images
        count = len(images.readings)
        self._fill("face", [f"{index + 1} of {count}" for index in range(count)], images.face_index)
        target = labels.index(request.target) + 1 if request.target in labels else 0
        self._fill("target", [_PREDICTION, *labels], target)
        others = [_ALL_OTHERS, *(label for label in labels if label != request.target)]
        self._fill("versus", others, others.index(request.versus) if request.versus in others else 0)
        self._fill("method", list(_METHODS.values()), list(_METHODS).index(request.method))
        # Only CAM is fast enough for the camera, which has one followed face.
        for widget in (self._fields["face"], self._fields["method"], self._walkthrough):
            widget.state(["disabled" if self._state.live else "!disabled"])

    def _fill(self, name: str, values: list[str], index: int) -> None:
        self._fields[name].configure(values=values)
        self._fields[name].set(values[index] if index < len(values) else "")


class EvidenceMap(ttk.Frame):
    """The evidence map over the crop with a slider for its opacity, and the evidence in the regions of the face."""

    def __init__(self, parent: tk.Misc, theme: Theme) -> None:
        super().__init__(parent, style="Card.TFrame", padding=theme.px(16))
        self._theme = theme
        self._explanation: FaceExplanation | None = None
        self._opacity = tk.DoubleVar(self, 1.0)
        self.columnconfigure(1, weight=1)
        self._title = WrappedLabel(self, "Evidence map", "Card.Strong.TLabel")
        self._title.grid(row=0, column=0, columnspan=2, sticky="ew")
        side = theme.px(_MAP_SIDE)
        self._canvas = tk.Canvas(self, width=side, height=side + theme.px(34), highlightthickness=0)
        self._canvas.configure(background=theme.colors.card)
        self._canvas.grid(row=1, column=0, sticky="nw", pady=(theme.px(8), 0))
        self._image = CanvasImage(self._canvas)
        self._scale = self._canvas.create_image(0, side + theme.px(8), anchor="nw")
        text: dict[str, Any] = {"fill": theme.colors.muted, "font": theme.font(11)}
        self._lowest = self._canvas.create_text(0, side + theme.px(18), anchor="nw", **text)
        self._highest = self._canvas.create_text(side, side + theme.px(18), anchor="ne", **text)
        self._regions = tk.Canvas(self, background=theme.colors.card, highlightthickness=0, width=10, height=10)
        self._regions.grid(row=1, column=1, sticky="nsew", padx=(theme.px(16), 0), pady=(theme.px(8), 0))
        slider = ttk.Scale(self, style="Card.Horizontal.TScale", variable=self._opacity)
        slider.configure(command=lambda _value: self._draw_map())
        slider.grid(row=2, column=0, sticky="ew", pady=(theme.px(4), 0))
        self._photos: list[ImageTk.PhotoImage] = []
        self._scales: dict[bool, ImageTk.PhotoImage] = {}
        self._regions.bind("<Configure>", lambda _event: self._draw_regions())

    def show(self, explanation: FaceExplanation) -> None:
        self._explanation = explanation
        self._draw_map()
        self._draw_regions()

    def _draw_map(self) -> None:
        if self._explanation is None:
            return
        pixels, saliency = draw_crop(self._explanation.crop, self._theme.px(_MAP_SIDE)), self._explanation.map
        ends = ("", "")
        if saliency is not None:
            pixels = overlay_map(pixels, saliency, self._opacity.get())
            compared = f" compared with “{saliency.versus}”" if saliency.versus else ""
            self._title.configure(text=f"Evidence map for “{saliency.target}”{compared}")
            ends = (saliency.versus, saliency.target) if saliency.versus else ("none", "most")
        self._draw_scale(saliency is not None, bool(saliency and saliency.versus))
        for item, text in zip((self._lowest, self._highest), ends, strict=True):
            self._canvas.itemconfigure(item, text=text)
        self._image.show(pixels)

    def _draw_scale(self, visible: bool, signed: bool) -> None:
        if signed not in self._scales:
            size = self._theme.px(_MAP_SIDE), self._theme.px(7)
            self._scales[signed] = self._theme.photo(Image.fromarray(draw_color_scale(signed, size)))
        self._canvas.itemconfigure(self._scale, image=self._scales[signed] if visible else "")

    def _draw_regions(self) -> None:
        canvas, theme, explanation = self._regions, self._theme, self._explanation
        canvas.delete("all")
        self._photos = []
        regions = explanation.regions if explanation else None
        if regions is None or canvas.winfo_width() < 40:
            return
        for place, region in enumerate(sorted(regions.evidence, key=lambda region: -region.score)):
            self._draw_region(theme.px(34 * place), region)
        basis = "the landmarks of this face" if regions.basis == "landmarks" else "the mean geometry of faces"
        text: dict[str, Any] = {"fill": theme.colors.muted, "font": theme.font(12), "width": canvas.winfo_width()}
        top = theme.px(34 * len(regions.evidence) + 8)
        canvas.create_text(0, top, text=f"Parts of the evidence by region, from {basis}.", anchor="nw", **text)

    def _draw_region(self, top: int, region: Score) -> None:
        theme, colors, canvas, right = self._theme, self._theme.colors, self._regions, self._regions.winfo_width()
        text: dict[str, Any] = {"fill": colors.text, "font": theme.font(13)}
        canvas.create_text(0, top, text=region.label, anchor="nw", **text)
        canvas.create_text(right, top, text=format_percent(region.score), anchor="ne", **text)
        width = max(right, 8)
        filled = round(width * min(region.score, 1.0))
        self._photos.append(theme.photo(draw_bar(width, theme.px(6), filled, colors.accent, colors.line, colors.card)))
        canvas.create_image(0, top + theme.px(20), image=self._photos[-1], anchor="nw")
