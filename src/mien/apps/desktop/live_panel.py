"""The panel of a live camera: the annotated image, scores, timeline and delay, and the activations of the network.

It belongs to no particular window: ``mien live`` opens one for it, and any other Tk window can contain it.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from time import monotonic, strftime
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from mien import images
from mien.apps.desktop.drawing import draw_crop, draw_feature_maps, parse_color, stack_scores
from mien.apps.desktop.face_scores import ScoreBars
from mien.apps.desktop.layer_view import shorten_name
from mien.apps.desktop.settings import DesktopSettings
from mien.apps.desktop.style import Theme
from mien.apps.desktop.widgets import CanvasImage, on_narrow, set_visible
from mien.apps.session.live_camera import CameraWorker, LiveFrame, find_reading
from mien.apps.session.live_explanation import ActivationSource, ExplanationWorker, LiveActivations
from mien.apps.session.overlay import overlay_saliency
from mien.draw import draw_readings
from mien.engine import select_framing
from mien.errors import MienError
from mien.explain.figures.colormaps import apply_colours, choose_scale
from mien.results import Pixels, Reading
from mien.text import describe_label
from mien.video.annotate import simplify_labels

if TYPE_CHECKING:
    from mien.explain import Layer

#: The width of the part with scores and timeline and its margin, in pixels of the design.
_SIDE_WIDTH, _MARGIN = 300, 18

#: A panel narrower than this has the scores below the image.
_NARROW = 560

#: The seconds that the timeline shows.
_RECENT_SECONDS = 20

#: Milliseconds between two checks for a new frame, and seconds for which a message stays.
_CHECK_INTERVAL, _MESSAGE_SECONDS = 4, 2.5

#: The number of frames over which the delay is stored, and over which its median is displayed.
_DELAYS, _RECENT_DELAYS = 300, 15

#: The keys and their actions, in the order in which they are displayed.
KEYS = {
    "q": "quit",
    "space": "pause",
    "s": "snapshot",
    "w": "evidence map",
    "i": "layers",
    "t": "smoothing",
}


class LivePanel(tk.Frame):
    """Shows the frames of a :class:`CameraWorker` until it ends. The owner passes keys to ``press``."""

    def __init__(
        self,
        parent: tk.Misc,
        reader: CameraWorker,
        engine: ActivationSource,
        *,
        quit: Callable[[], None],
        explain: bool = False,
        folder: Path | None = None,
        theme: Theme | None = None,
        on_switch: Callable[[dict[str, bool]], None] | None = None,
        on_snapshot: Callable[[LiveFrame], None] | None = None,
        on_error: Callable[[MienError], None] | None = None,
    ) -> None:
        """``quit`` is called when the camera ends and for the key Q. ``explain`` shows the layers from the start.

        With ``on_switch`` the owner shows which keys are on, and the panel has no line of keys. ``on_snapshot`` takes
        snapshots, which otherwise become files in ``folder``. ``on_error`` takes errors of the explanation, which
        otherwise appear in the line of keys.
        """
        self._theme = theme or Theme(parent, DesktopSettings(theme="dark"))
        super().__init__(parent, background=self._theme.colors.background)
        self._on_switch, self._on_snapshot, self._on_error = on_switch, on_snapshot, on_error
        self._reader, self._quit, self._folder = reader, quit, folder or Path.cwd()
        self._explanation = ExplanationWorker(engine, reader.newest)
        self._framing = select_framing(engine.card, engine.detector)
        self._frame: LiveFrame | None = None
        self._explained_number = 0
        #: The keys of the evidence map, the layers and smoothing, and whether they are on.
        self._switches = {"w": False, "i": False, "t": True}
        self._message_end = 0.0
        self._reported: MienError | None = None
        self._destroyed = False
        #: Seconds from the camera to the screen, of the newest frames.
        self.delays: list[float] = []
        #: Explanations a second.
        self.explanation_rate = 0.0
        self._build(engine.card.labels)
        if explain:
            self.press("i")
        self.bind("<Destroy>", self._destroy)
        self._job = self.after(_CHECK_INTERVAL, self._check)

    def press(self, key: str) -> None:
        """Do the action of one of :data:`KEYS`; other keys do nothing."""
        match key:
            case "q":
                self._quit()
            case "s":
                self._take_snapshot()
            case "space":
                self._reader.toggle_pause()
                self._update_switches()
            case "w" | "i" | "t":
                self._switches[key] = not self._switches[key]
                if key == "i":
                    self._layers.clear()
                    set_visible(self._layers, self._switches["i"])
                self._update_switches()

    # Layout

    def _build(self, labels: tuple[str, ...]) -> None:
        theme, panel = self._theme, self._theme.colors.panel
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self._canvas = tk.Canvas(self, width=640, height=480, background=panel, highlightthickness=0)
        self._canvas.grid(row=0, column=0, sticky="nsew")
        self._image = CanvasImage(self._canvas)
        self._side = tk.Frame(self, background=panel)
        self._scores = FaceScores(self._side, theme, labels)
        self._timeline = RecentTimeline(self._side, theme, labels)
        self._facts = CameraFacts(self._side, theme)
        for row, part in enumerate((self._scores, self._timeline, self._facts)):
            part.grid(row=row, column=0, sticky="new")
        on_narrow(self, theme, self._arrange, _NARROW)
        self._layers = LayerStrip(self, theme, labels)
        self._layers.grid(row=2, column=0, columnspan=2, sticky="ew")
        self._layers.grid_remove()
        self._hints: dict[str, tk.Label] = {}
        key_line = self._create_key_line()
        if self._on_switch is None:
            key_line.grid(row=3, column=0, columnspan=2, sticky="ew")
        self._update_switches()

    def _arrange(self, narrow: bool) -> None:
        """Scores and facts beside the image, or below it in a narrow panel."""
        self.rowconfigure(0, weight=1, minsize=self._theme.px(240 if narrow else 0))
        self._side.grid(row=1 if narrow else 0, column=0 if narrow else 1, sticky="new" if narrow else "ns")
        for row, part in ((0, self._timeline), (1, self._facts)):
            part.grid(row=row if narrow else row + 1, column=1 if narrow else 0, sticky="new")
        self._scores.grid(row=0, column=0, rowspan=2 if narrow else 1, sticky="new")

    def _create_key_line(self) -> tk.Frame:
        theme, colors = self._theme, self._theme.colors
        line = tk.Frame(self, background=colors.background, padx=theme.px(12), pady=theme.px(9))
        for key, action in KEYS.items():
            name = "Space" if key == "space" else key.upper()
            cap = tk.Label(line, text=f" {name} ", background=colors.card, foreground=colors.text)
            cap.configure(font=theme.font(13, bold=True))
            hint = tk.Label(line, text=action, background=colors.background, foreground=colors.muted)
            hint.configure(font=theme.font(13))
            cap.pack(side="left")
            hint.pack(side="left", padx=(theme.px(6), theme.px(18)))
            for part in (cap, hint):
                part.bind("<Button-1>", lambda _event, key=key: self.press(key))  # type: ignore[misc]
            self._hints[key] = hint
        self._message = tk.Label(line, background=colors.background, foreground=colors.accent, font=theme.font(13))
        self._message.pack(side="right")
        return line

    # Actions

    def _take_snapshot(self) -> None:
        if self._frame is None:
            return
        if self._on_snapshot:
            self._on_snapshot(self._frame)
            return
        path = self._folder / f"mien-{strftime('%Y%m%d-%H%M%S')}-{self._frame.number}.png"
        try:
            images.save_image(self._annotate(self._frame), path)
        except MienError as error:
            self._show_message(str(error))
        else:
            self._show_message(f"saved as {path.name}")

    def _update_switches(self) -> None:
        """Start or stop the explanation, and show which keys are on."""
        self._explanation.switch(self._switches["i"] or self._switches["w"])
        on = {"space": self._reader.paused, **self._switches}
        colors = self._theme.colors
        for key, hint in self._hints.items():
            hint.configure(foreground=colors.accent if on.get(key) else colors.muted)
        self._hints["space"].configure(text="continue" if self._reader.paused else "pause")
        if self._on_switch:
            self._on_switch(on)

    def _show_message(self, text: str) -> None:
        self._message.configure(text=text)
        self._message_end = monotonic() + _MESSAGE_SECONDS

    def _report(self, error: MienError) -> None:
        if self._on_error is None:
            self._show_message(str(error))
        elif error is not self._reported:
            self._reported = error
            self._on_error(error)

    # Frames

    def _check(self) -> None:
        if self._reader.ended:
            self._quit()
            return
        try:
            self._update()
        finally:
            # Also after an unexpected error: the owner of the window decides whether the camera continues.
            if not self._destroyed:
                self._job = self.after(_CHECK_INTERVAL, self._check)

    def _update(self) -> None:
        newest = self._reader.newest(self._frame.number if self._frame else 0)
        if newest is not None and self.winfo_viewable():
            self._frame = newest
            self._show(newest)
        if self._destroyed:
            return
        explained = self._explanation.newest
        if explained is not None and self._switches["i"] and explained.number != self._explained_number:
            self._explained_number, self.explanation_rate = explained.number, explained.rate
            self._layers.show(explained)
        if self._explanation.error:
            self._report(self._explanation.error)
        elif monotonic() > self._message_end:
            self._message.configure(text="")

    def _show(self, frame: LiveFrame) -> None:
        self._draw(self._annotate(frame))
        reading = frame.main_reading(self._switches["t"])
        self._scores.show(reading)
        self._timeline.show(reading, frame.seconds)
        self.update_idletasks()  # draw now, and not when Tk is idle
        if self._destroyed:  # by another idle callback
            return
        self.winfo_pointerx()  # the X server answers after it has drawn: the delay includes the drawing
        self.delays = [*self.delays[-_DELAYS:], self._reader.delay(frame)]
        self._facts.show(frame.fps, float(np.median(self.delays[-_RECENT_DELAYS:])), frame.dropped)

    def _annotate(self, frame: LiveFrame) -> Pixels:
        pixels, explained = frame.pixels, self._explanation.newest
        if self._switches["w"] and explained is not None and explained.activations.map is not None:
            # The map is of an older frame: it is drawn over the same track's face in this one.
            reading = find_reading(frame.smoothed, explained.reading.track)
            if reading:
                pixels = overlay_saliency(pixels, explained.activations.map, reading.face, self._framing)
        return draw_readings(pixels, simplify_labels(frame.frame(self._switches["t"]).result))

    def _draw(self, pixels: Pixels) -> None:
        width, height = max(self._canvas.winfo_width(), 2), max(self._canvas.winfo_height(), 2)
        scale = min(width / pixels.shape[1], height / pixels.shape[0])
        size = max(round(pixels.shape[1] * scale), 1), max(round(pixels.shape[0] * scale), 1)
        if size != (pixels.shape[1], pixels.shape[0]):
            interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            pixels = np.asarray(cv2.resize(pixels, size, interpolation=interpolation), np.uint8)
        self._image.move((width - size[0]) // 2, (height - size[1]) // 2)
        self._image.show(pixels)

    def _destroy(self, event: tk.Event[tk.Misc]) -> None:
        if event.widget is self:
            self._destroyed = True
            self.after_cancel(self._job)
            self._explanation.close()


class FaceScores(tk.Frame):
    """The expression of the followed face: in words, and as bars."""

    def __init__(self, parent: tk.Misc, theme: Theme, labels: tuple[str, ...]) -> None:
        colors, px = theme.colors, theme.px
        super().__init__(parent, background=colors.panel, width=px(_SIDE_WIDTH), height=px(90 + 30 * len(labels)))
        self._theme = theme
        width = px(_SIDE_WIDTH - 2 * _MARGIN)
        self._caption = tk.Label(self, background=colors.panel, foreground=colors.muted, font=theme.font(13))
        self._headline = tk.Label(self, background=colors.panel, foreground=colors.text, wraplength=width)
        self._headline.configure(justify="left", anchor="nw")
        self._caption.place(x=px(_MARGIN) - 2, y=px(16))
        self._headline.place(x=px(_MARGIN) - 2, y=px(36))
        self._bars = ScoreBars(self, theme, colors.panel, labels)
        self._bars.place(x=px(_MARGIN), y=px(78), width=width)

    def show(self, reading: Reading | None) -> None:
        """Without a face, or for one that is hard to judge, the bars are empty."""
        caption, headline = _describe_face(reading)
        self._caption.configure(text=caption)
        font = self._theme.font(21 if len(headline) < 22 else 16, bold=True)
        self._headline.configure(text=headline, font=font)
        self._bars.show(reading.emotions if reading and reading.quality.ok else None)


def _describe_face(reading: Reading | None) -> tuple[str, str]:
    """A caption and a headline."""
    if reading is None:
        return "", "no face in view"
    caption = f"Track {reading.track}" if reading.track is not None else "A face"
    if not reading.quality.ok:
        return f"{caption}, hard to judge", reading.quality.reason or "the face is not clear"
    if reading.emotions.uncertain:
        return f"{caption}, uncertain", "no expression stands out"
    return caption, describe_label(reading.emotions.top)


class RecentTimeline(tk.Canvas):
    """The scores of the followed face in the last seconds, the newest at the right."""

    def __init__(self, parent: tk.Misc, theme: Theme, labels: tuple[str, ...]) -> None:
        px, height, colors = theme.px, 84, theme.colors
        super().__init__(parent, width=px(_SIDE_WIDTH), height=px(height + 44))
        self.configure(background=colors.panel, highlightthickness=0)
        text = f"the last {_RECENT_SECONDS} seconds"
        self.create_text(px(_MARGIN), px(8), anchor="nw", text=text, fill=colors.muted, font=theme.font(13))
        self._labels = labels
        self._empty = np.array(parse_color(colors.line), np.uint8)
        self._pixels = np.tile(self._empty, (px(height), px(_SIDE_WIDTH - 2 * _MARGIN), 1))
        self._image = CanvasImage(self, px(_MARGIN), px(30))
        self._per_second = self._pixels.shape[1] / _RECENT_SECONDS
        self._newest: float | None = None

    def show(self, reading: Reading | None, seconds: float) -> None:
        """Add the reading at this time, and move the older ones to the left."""
        if self._newest is None or seconds < self._newest:
            self._newest = seconds - 1 / self._per_second
        columns = int((seconds - self._newest) * self._per_second)
        if not columns:
            return
        self._newest += columns / self._per_second
        columns = min(columns, self._pixels.shape[1])
        self._pixels = np.roll(self._pixels, -columns, axis=1)
        if reading is None or not reading.quality.ok:
            self._pixels[:, -columns:] = self._empty
        else:
            scores = [score for _, score in reading.emotions.scores]
            self._pixels[:, -columns:] = stack_scores(scores, self._labels, len(self._pixels))[:, None]
        self._image.show(self._pixels)


class CameraFacts(tk.Canvas):
    """Frames a second, the delay, and the frames that were dropped."""

    def __init__(self, parent: tk.Misc, theme: Theme) -> None:
        colors, px, right = theme.colors, theme.px, theme.px(_SIDE_WIDTH - _MARGIN)
        super().__init__(parent, width=px(_SIDE_WIDTH), height=px(96), background=colors.panel, highlightthickness=0)
        self._values = []
        for place, name in enumerate(("frames analysed", "delay", "dropped")):
            top = px(18 + 26 * place)
            self.create_text(px(_MARGIN), top, anchor="w", text=name, fill=colors.muted, font=theme.font(13))
            self._values.append(self.create_text(right, top, anchor="e", fill=colors.text, font=theme.font(13)))

    def show(self, rate: float, delay: float, dropped: int) -> None:
        """``rate`` in frames a second, ``delay`` in seconds."""
        values = (f"{rate:.1f} a second", f"{delay * 1000:.0f} ms", f"{dropped:,}")
        for item, value in zip(self._values, values, strict=True):
            self.itemconfigure(item, text=value)


#: Height of the strip, largest and smallest side of its images, gap, and width of the softmax, in pixels of the design.
_STRIP_HEIGHT, _LARGEST, _SMALLEST, _GAP, _SOFTMAX_WIDTH = 182, 118, 66, 14, 236

#: Rows and columns of channels of a layer.
_CHANNEL_GRID = 3


class LayerStrip(tk.Frame):
    """The network for the followed face: its input, the maps of its layers, and the softmax.

    The channels of a layer are selected once and stay, so that they can be followed.
    """

    def __init__(self, parent: tk.Misc, theme: Theme, labels: tuple[str, ...]) -> None:
        colors, px = theme.colors, theme.px
        super().__init__(parent, background=colors.panel)
        self._theme = theme
        self._channels: dict[str, tuple[int, ...]] = {}
        self._maxima: dict[str, float] = {}
        self._images: list[CanvasImage] = []
        self._titles: list[int] = []
        self._canvas = tk.Canvas(self, width=10, height=px(_STRIP_HEIGHT), background=colors.panel)
        self._canvas.configure(highlightthickness=0)
        self._canvas.pack(side="left", fill="both", expand=True)
        softmax = tk.Frame(self, background=colors.panel, width=px(_SOFTMAX_WIDTH), height=px(_STRIP_HEIGHT))
        softmax.pack(side="right", fill="y")
        title = tk.Label(softmax, text="softmax", background=colors.panel, foreground=colors.muted)
        title.configure(font=theme.font(12))
        title.place(x=0, y=px(14))
        self._bars = ScoreBars(softmax, theme, colors.panel, labels, compact=True)
        self._bars.place(x=0, y=px(36), width=px(_SOFTMAX_WIDTH - _GAP))
        self._rate = self._create_title(px(_GAP), px(_STRIP_HEIGHT - 14))

    def show(self, explained: LiveActivations) -> None:
        layers, px = explained.activations.layers, self._theme.px
        maps = [layer for layer in layers if layer.activations.ndim == 3]
        vectors = [layer for layer in layers if layer.activations.ndim == 1 and layer.shape[0] > 16]
        side = self._choose_side(len(maps) + 1, len(vectors))
        drawings = [("input", draw_crop(explained.activations.crop, side, smooth=False))]
        drawings += [(layer.name, self._draw_maps(layer, side)) for layer in maps]
        drawings += [(layer.name, self._draw_cells(layer, side)) for layer in vectors]
        while len(self._images) < len(drawings):
            self._images.append(CanvasImage(self._canvas))
            self._titles.append(self._create_title(0, 0))
        left = px(_GAP)
        for (name, pixels), image, title in zip(drawings, self._images, self._titles, strict=True):
            width = pixels.shape[1]
            image.move(left, px(36))
            image.show(pixels)
            self._canvas.coords(title, left, px(24))
            length = max(int(width / self._theme.scale / 6.6), 6)
            self._canvas.itemconfigure(title, text=shorten_name(name, length))
            left += width + px(_GAP)
        self._bars.show(explained.activations.emotions)
        text = f"{explained.rate:.0f} updates a second · track {explained.reading.track}"
        self._canvas.itemconfigure(self._rate, text=text)

    def clear(self) -> None:
        """Select the channels anew at the next explanation."""
        self._channels.clear()
        self._maxima.clear()

    def _choose_side(self, squares: int, halves: int) -> int:
        """The side of the images with which all fit: ``squares`` square ones and ``halves`` of half the width."""
        px = self._theme.px
        free = self._canvas.winfo_width() - px(_GAP * (squares + halves + 1))
        return max(min(int(free / (squares + halves / 2)), px(_LARGEST)), px(_SMALLEST))

    def _draw_maps(self, layer: Layer, side: int) -> Pixels:
        channels = self._channels.setdefault(layer.name, tuple(layer.order[: _CHANNEL_GRID**2]))
        maximum = self._update_maximum(layer.name, layer.activations[list(channels)])
        tile = side // _CHANNEL_GRID - 2
        return draw_feature_maps(layer, channels, tile, 2, _CHANNEL_GRID, self._theme.colors.panel, maximum)

    def _draw_cells(self, layer: Layer, side: int) -> Pixels:
        """A layer without maps as cells in the order of its channels."""
        values = layer.activations
        columns = max(round((len(values) / 2) ** 0.5), 1)
        padded = np.pad(values, (0, -len(values) % columns)).reshape(-1, columns)
        cells = apply_colours(padded, choose_scale(values), self._update_maximum(layer.name, values))
        return np.asarray(cv2.resize(cells, (side // 2, side), interpolation=cv2.INTER_NEAREST), np.uint8)

    def _update_maximum(self, name: str, values: NDArray[np.float32]) -> float:
        """The largest value so far, decaying slowly: stronger activations look brighter."""
        maximum = max(float(np.abs(values).max(initial=0)), 0.98 * self._maxima.get(name, 0.0), 1e-6)
        self._maxima[name] = maximum
        return maximum

    def _create_title(self, x: int, y: int) -> int:
        return self._canvas.create_text(x, y, anchor="w", fill=self._theme.colors.muted, font=self._theme.font(12))
