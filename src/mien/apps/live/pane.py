"""The widget that shows a camera: the picture with boxes and labels, bars, timeline, facts, and the keys.

It belongs to no window in particular: ``mien live`` puts it into one of its own, and any other Tk window may hold it.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from time import monotonic, strftime

import cv2
import numpy as np

from mien import media
from mien.apps.film.painted import shown
from mien.apps.live.inside_view import Inside
from mien.apps.live.insides import Insides, Looker
from mien.apps.live.look import DARK, Picture, Shades
from mien.apps.live.overlay import with_map
from mien.apps.live.sides import Bars, Facts, Strip
from mien.apps.live.watching import View, Watching, of
from mien.draw import paint
from mien.engine import framing_of
from mien.errors import MienError
from mien.types import Pixels

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
        watching: Watching,
        looker: Looker,
        *,
        quit: Callable[[], None],
        inside: bool = False,
        folder: Path | None = None,
        shades: Shades = DARK,
        lit: Callable[[dict[str, bool]], None] | None = None,
        keep: Callable[[View], None] | None = None,
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
        self._insides = Insides(looker, watching.newest)
        self._framing = framing_of(looker.card, looker.detector)
        self._view: View | None = None
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
            media.save(self._painted(self._view), place)
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

    def _show(self, view: View) -> None:
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

    def _painted(self, view: View) -> Pixels:
        pixels, seen = view.pixels, self._insides.newest
        if self._map and seen is not None and seen.look.map is not None:
            # What was seen a moment ago belongs to the same person's face of now.
            now = of(view.steady, seen.reading.track)
            pixels = with_map(pixels, seen.look.map, now.face, self._framing) if now else pixels
        return paint(pixels, shown(view.moment(self._smooth).result))

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
