"""What stands beside the moving picture: who looks how, a small timeline, and facts."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic, strftime

import cv2
import numpy as np
from numpy.typing import NDArray

from mien import images
from mien.apps.desktop.live_explanation_panel import Inside
from mien.apps.desktop.live_style import DARK, Picture, Shades, rgb
from mien.apps.session.live_camera import CameraWorker, LiveFrame, find_reading
from mien.apps.session.live_explanation import ActivationSource, ExplanationWorker
from mien.apps.session.overlay import overlay_saliency
from mien.draw import draw_readings
from mien.engine import select_framing
from mien.errors import MienError
from mien.labels import label_colour
from mien.results import Pixels, Reading
from mien.text import describe_label, percent_words
from mien.video.annotate import simplify_labels

#: The panel's width in pixels, the space at its edges, and the seconds that the timeline shows.
WIDE, EDGE, SHOWN = 300, 18, 20.0

#: Where the bars begin below the words, the height of a row, and how far from the edge a bar begins and ends.
_BARS, _ROW, _NAMES, _NUMBERS = 84, 30, 84, 44


class Bars(tk.Canvas):
    """One person's shares as bars, and above them what the expression looks like."""

    def __init__(self, parent: tk.Misc, labels: Sequence[str], shades: Shades = DARK) -> None:
        self._shades, self._labels = shades, tuple(labels)
        long, letters = shades.long, shades.letters
        height = long(_BARS + _ROW * len(labels) + 6)
        super().__init__(parent, width=long(WIDE), height=height, background=shades.panel, highlightthickness=0)
        room = long(WIDE - 2 * EDGE)
        self._who = self.create_text(long(EDGE), long(18), anchor="nw", fill=shades.muted, font=letters(13))
        self._says = self.create_text(long(EDGE), long(36), anchor="nw", fill=shades.ink, width=room)
        self._rows = [self._row(place, label) for place, label in enumerate(self._labels)]

    def show(self, reading: Reading | None) -> None:
        who, says = _told(reading)
        self.itemconfigure(self._who, text=who)
        self.itemconfigure(self._says, text=says, font=self._shades.letters(21 if len(says) < 22 else 16, bold=True))
        shares = dict(reading.emotions.scores) if reading and reading.quality.ok else {}
        left, right = self._shades.long(EDGE + _NAMES), self._shades.long(WIDE - EDGE - _NUMBERS)
        for label, (bar, number, top) in zip(self._labels, self._rows, strict=True):
            share = shares.get(label, 0.0)
            self.coords(bar, left, top, left + max(share * (right - left), 1), top + self._shades.long(10))
            self.itemconfigure(number, text=percent_words(share) if shares else "")

    def _row(self, place: int, label: str) -> tuple[int, int, int]:
        long, shades = self._shades.long, self._shades
        top, high, middle = long(_BARS + place * _ROW), long(10), long(_BARS + place * _ROW + 5)
        left, right, font = long(EDGE + _NAMES), long(WIDE - EDGE), shades.letters(13)
        self.create_text(long(EDGE), middle, anchor="w", text=label[:12], fill=shades.ink, font=font)
        self.create_rectangle(left, top, right - long(_NUMBERS), top + high, fill=shades.line, width=0)
        bar = self.create_rectangle(left, top, left, top + high, fill=label_colour(label, self._labels), width=0)
        number = self.create_text(right, middle, anchor="e", fill=shades.muted, font=font)
        return bar, number, top


def _told(reading: Reading | None) -> tuple[str, str]:
    if reading is None:
        return "", "no face in view"
    who = f"Person {reading.track}" if reading.track is not None else "A face"
    if not reading.quality.ok:
        return f"{who}, hard to judge", reading.quality.reason or "the face is not clear"
    if reading.emotions.uncertain:
        return f"{who}, unsure", "nothing stands out"
    return who, describe_label(reading.emotions.top)


class Strip(tk.Canvas):
    """The last seconds of the largest face: shares stacked, newest at the right."""

    def __init__(self, parent: tk.Misc, labels: Sequence[str], shades: Shades = DARK, height: int = 84) -> None:
        long = shades.long
        super().__init__(
            parent, width=long(WIDE), height=long(height + 44), background=shades.panel, highlightthickness=0
        )
        words = f"the last {SHOWN:g} seconds"
        self.create_text(long(EDGE), long(8), anchor="nw", text=words, fill=shades.muted, font=shades.letters(13))
        self._tones = np.array([rgb(label_colour(label, tuple(labels))) for label in labels], np.uint8)
        self._empty = np.array(rgb(shades.line), np.uint8)
        self._pixels = np.tile(self._empty, (long(height), long(WIDE - 2 * EDGE), 1))
        self._picture = Picture(self, long(EDGE), long(30))
        self._per_second = self._pixels.shape[1] / SHOWN
        self._at: float | None = None

    def show(self, reading: Reading | None, seconds: float) -> None:
        """What there was to see at this time; the strip moves by as many columns as have passed."""
        if self._at is None or seconds < self._at:
            self._at = seconds - 1 / self._per_second
        columns = int((seconds - self._at) * self._per_second)
        if not columns:
            return
        self._at += columns / self._per_second
        columns = min(columns, self._pixels.shape[1])
        self._pixels = np.roll(self._pixels, -columns, axis=1)
        self._pixels[:, -columns:] = self._column(reading)[:, None]
        self._picture.show(self._pixels)

    def _column(self, reading: Reading | None) -> NDArray[np.uint8]:
        height = len(self._pixels)
        if reading is None or not reading.quality.ok:
            return np.tile(self._empty, (height, 1))
        edges = np.rint(np.cumsum([share.score for share in reading.emotions.scores]) * height).astype(int)
        places = np.searchsorted(edges, np.arange(height), side="right").clip(0, len(self._tones) - 1)
        # The first label stands at the bottom, as in the report.
        return np.asarray(self._tones[places][::-1])


class Facts(tk.Canvas):
    """Frames a second, the delay, what was dropped."""

    def __init__(self, parent: tk.Misc, shades: Shades = DARK) -> None:
        self._shades = shades
        wide, high = shades.long(WIDE), shades.long(96)
        super().__init__(parent, width=wide, height=high, background=shades.panel, highlightthickness=0)
        self._values = [self._line(place, name) for place, name in enumerate(("frames read", "delay", "left out"))]

    def show(self, rate: float, delay: float, dropped: int) -> None:
        told = (f"{rate:.1f} a second", f"{delay * 1000:.0f} ms", f"{dropped:,}")
        for item, text in zip(self._values, told, strict=True):
            self.itemconfigure(item, text=text)

    def _line(self, place: int, name: str) -> int:
        long, font = self._shades.long, self._shades.letters(13)
        top = long(18 + 26 * place)
        self.create_text(long(EDGE), top, anchor="w", text=name, fill=self._shades.muted, font=font)
        return self.create_text(long(WIDE - EDGE), top, anchor="e", fill=self._shades.ink, font=font)


# ==== mien.apps.live.pane
# The widget that shows a camera: the picture with boxes and labels, bars, timeline, facts, and the keys.
#
# It belongs to no window in particular: ``mien live`` puts it into one of its own, and any other Tk window may hold it.

#: Milliseconds between two looks for a newer view, and seconds for which a message stays.
_TICK, _MESSAGE = 4, 2.5

#: A pane that is narrower, in pixels of the drawing, has its bars below the picture.
_NARROW = 560

#: What keys do, in the order in which they are shown.
KEYS = {
    "q": "quit",
    "space": "pause",
    "s": "snapshot",
    "w": "where it looks",
    "i": "inside",
    "t": "smoothing",
}


class Pane(tk.Frame):
    """Shows a :class:`Watching` until it is over. ``press`` does what a key does; ``quit`` is the owner's to give."""

    def __init__(
        self,
        parent: tk.Misc,
        watching: CameraWorker,
        looker: ActivationSource,
        *,
        quit: Callable[[], None],
        inside: bool = False,
        folder: Path | None = None,
        shades: Shades = DARK,
        lit: Callable[[dict[str, bool]], None] | None = None,
        keep: Callable[[LiveFrame], None] | None = None,
        failed: Callable[[MienError], None] | None = None,
    ) -> None:
        """A window with switches of its own is told by ``lit`` which are on, and shows no line of keys.

        It hears by ``failed`` what did not work: the line of keys is where that would stand.

        ``keep`` takes snapshots; without it they become files in ``folder``.
        """
        super().__init__(parent, background=shades.ground)
        self._shades, self._told_lit, self._keep = shades, lit, keep
        self._failed, self._complaint = failed, None  # type: tuple[Callable[[MienError], None] | None, MienError | None]
        self._watching, self._quit, self._folder = watching, quit, folder or Path.cwd()
        self._insides = ExplanationWorker(looker, watching.newest)
        self._framing = select_framing(looker.card, looker.detector)
        self._view: LiveFrame | None = None
        self._seen = 0
        self._smooth, self._map, self._inside = True, False, False
        self._message_until = 0.0
        self._over = False
        self.delays: list[float] = []
        self.looks = 0.0
        self._build(looker.card.labels)
        if inside:
            self.press("i")
        self.bind("<Destroy>", self._gone)
        self.bind("<Configure>", self._resized)
        self._job = self.after(_TICK, self._tick)

    def press(self, key: str) -> None:
        """One of :data:`KEYS`; any other does nothing."""
        actions = {
            "q": self._quit,
            "space": self._pause,
            "s": self._snapshot,
            "w": self._switch_map,
            "i": self._switch_inside,
            "t": self._switch_smoothing,
        }
        if key in actions:
            actions[key]()

    # How it is built

    def _build(self, labels: tuple[str, ...]) -> None:
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self._canvas = tk.Canvas(self, width=640, height=480, background=self._shades.panel, highlightthickness=0)
        self._canvas.grid(row=0, column=0, sticky="nsew")
        self._picture = Picture(self._canvas)
        side = self._side = tk.Frame(self, background=self._shades.panel)
        self._bars, self._strip = Bars(side, labels, self._shades), Strip(side, labels, self._shades)
        self._facts = Facts(side, self._shades)
        for row, part in enumerate((self._bars, self._strip, self._facts)):
            part.grid(row=row, column=0, sticky="new")
        self._arrange(False)
        self._below = Inside(self, labels, self._shades)
        self._hints: dict[str, tk.Label] = {}
        self._keys = self._key_line()
        if self._told_lit is None:
            self._keys.grid(row=3, column=0, columnspan=2, sticky="ew")
        self._lit()

    def _arrange(self, narrow: bool) -> None:
        """Bars and facts beside the picture, or below it where there is no room beside."""
        self._narrow = narrow
        self.rowconfigure(0, weight=1, minsize=self._shades.long(240 if narrow else 0))
        self._side.grid(row=1 if narrow else 0, column=0 if narrow else 1, sticky="new" if narrow else "ns")
        for row, part in ((0, self._strip), (1, self._facts)):
            part.grid(row=row if narrow else row + 1, column=1 if narrow else 0, sticky="new")
        self._bars.grid(row=0, column=0, rowspan=2 if narrow else 1, sticky="new")

    def _resized(self, event: tk.Event[tk.Misc]) -> None:
        narrow = event.width < self._shades.long(_NARROW)
        if event.widget is self and narrow != self._narrow:
            self._arrange(narrow)

    def _key_line(self) -> tk.Frame:
        shades, font = self._shades, self._shades.letters(13)
        line = tk.Frame(self, background=shades.ground, padx=shades.long(12), pady=shades.long(9))
        for key, does in KEYS.items():
            name = "Space" if key == "space" else key.upper()
            bold = shades.letters(13, bold=True)
            cap = tk.Label(line, text=f" {name} ", background=shades.raised, foreground=shades.ink, font=bold)
            hint = tk.Label(line, text=does, background=shades.ground, foreground=shades.muted, font=font)
            cap.pack(side="left")
            hint.pack(side="left", padx=(shades.long(6), shades.long(18)))
            for part in (cap, hint):
                part.bind("<Button-1>", lambda _event, key=key: self.press(key))  # type: ignore[misc]
            self._hints[key] = hint
        self._message = tk.Label(line, background=shades.ground, foreground=shades.accent, font=font)
        self._message.pack(side="right")
        return line

    # What keys do

    def _pause(self) -> None:
        self._watching.pause()
        self._lit()

    def _switch_map(self) -> None:
        self._map = not self._map
        self._look_inside()

    def _switch_inside(self) -> None:
        self._inside = not self._inside
        self._below.clear()
        if self._inside:
            self._below.grid(row=2, column=0, columnspan=2, sticky="ew")
        else:
            self._below.grid_forget()
        self._look_inside()

    def _look_inside(self) -> None:
        self._insides.switch(self._inside or self._map)
        self._lit()

    def _switch_smoothing(self) -> None:
        self._smooth = not self._smooth
        self._lit()

    def _snapshot(self) -> None:
        if self._view is None:
            return
        if self._keep:
            self._keep(self._view)
            return
        place = self._folder / f"mien-{strftime('%Y%m%d-%H%M%S')}-{self._view.number}.png"
        try:
            images.save_image(self._painted(self._view), place)
        except MienError as error:
            self._say(str(error))
        else:
            self._say(f"kept as {place.name}")

    def _lit(self) -> None:
        """Show which of the switches are on."""
        on = {"space": self._watching.paused, "w": self._map, "i": self._inside, "t": self._smooth}
        for key, hint in self._hints.items():
            hint.configure(foreground=self._shades.accent if on.get(key) else self._shades.muted)
        self._hints["space"].configure(text="go on" if self._watching.paused else "pause")
        if self._told_lit:
            self._told_lit(on)

    def _say(self, words: str) -> None:
        self._message.configure(text=words)
        self._message_until = monotonic() + _MESSAGE

    def _complain(self, error: MienError) -> None:
        if self._failed is None:
            self._say(str(error))
        elif error is not self._complaint:
            self._complaint = error
            self._failed(error)

    # What is shown

    def _tick(self) -> None:
        if self._watching.over:
            self._quit()
            return
        try:
            self._look()
        finally:
            # Also after what nobody foresaw: who owns the window decides whether it goes on.
            if not self._over:
                self._job = self.after(_TICK, self._tick)

    def _look(self) -> None:
        newest = self._watching.newest(self._view.number if self._view else 0)
        if newest is not None and self.winfo_viewable():
            self._view = newest
            self._show(newest)
        if self._over:
            return
        if (seen := self._insides.newest) is not None and self._inside and seen.number != self._seen:
            self._seen, self.looks = seen.number, seen.rate
            self._below.show(seen)
        if self._insides.error:
            self._complain(self._insides.error)
        elif monotonic() > self._message_until:
            self._message.configure(text="")

    def _show(self, view: LiveFrame) -> None:
        self._draw(self._painted(view))
        reading = view.reading(self._smooth)
        self._bars.show(reading)
        self._strip.show(reading, view.seconds)
        self.update_idletasks()  # drawn now, and not when Tk next has nothing to do
        if self._over:  # that was to be done too
            return
        self.winfo_pointerx()  # answered when the screen has drawn it: the delay is told as it is
        self.delays = [*self.delays[-300:], self._watching.delay(view)]
        self._facts.show(view.rate, float(np.median(self.delays[-15:])), view.dropped)

    def _painted(self, view: LiveFrame) -> Pixels:
        pixels, seen = view.pixels, self._insides.newest
        if self._map and seen is not None and seen.look.map is not None:
            # What was seen a moment ago belongs to the same person's face of now.
            now = find_reading(view.steady, seen.reading.track)
            pixels = overlay_saliency(pixels, seen.look.map, now.face, self._framing) if now else pixels
        return draw_readings(pixels, simplify_labels(view.moment(self._smooth).result))

    def _draw(self, pixels: Pixels) -> None:
        width, height = max(self._canvas.winfo_width(), 2), max(self._canvas.winfo_height(), 2)
        scale = min(width / pixels.shape[1], height / pixels.shape[0])
        size = max(round(pixels.shape[1] * scale), 1), max(round(pixels.shape[0] * scale), 1)
        if size != (pixels.shape[1], pixels.shape[0]):
            way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            pixels = np.asarray(cv2.resize(pixels, size, interpolation=way), np.uint8)
        self._picture.move((width - size[0]) // 2, (height - size[1]) // 2)
        self._picture.show(pixels)

    def _gone(self, event: tk.Event[tk.Misc]) -> None:
        if event.widget is self:
            self._over = True
            self.after_cancel(self._job)
            self._insides.close()
