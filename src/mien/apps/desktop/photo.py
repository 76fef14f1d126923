"""The page for pictures: the one that is looked at, what was read of the face that is meant, and all that are open."""

from __future__ import annotations

import tkinter as tk
from functools import partial
from tkinter import ttk
from typing import TYPE_CHECKING

from mien.apps.desktop.face_scores import FaceCard
from mien.apps.desktop.image_view import Stage
from mien.apps.desktop.pictures import Shot, scaled
from mien.apps.desktop.thumbnails import Strip
from mien.apps.desktop.widgets import Empty, Note, Scrolled, Soon, Words, button
from mien.apps.session import samples
from mien.results import Box, FrameResult, Reading
from mien.text import DISCLAIMER, NO_FACE, NO_FACE_HELP, describe_face_count

if TYPE_CHECKING:
    from mien.apps.desktop.window import Window


class Page(ttk.Frame):
    """Shows the album."""

    def __init__(self, parent: tk.Misc, window: Window) -> None:
        super().__init__(parent)
        self._window, self._theme = window, window.theme
        self._album, self._viewing = window.desk.album, window.viewing
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self._empty = Empty(
            self,
            self._theme,
            "photo",
            "Open a photo to see what its expressions look like",
            (window.drop_words("photos or a folder"), DISCLAIMER),
            (("Choose photos…", window.dialogs.open_pictures), ("Choose a folder…", window.dialogs.open_folder)),
        )
        act = lambda path: window.desk.open([path], keep=False)  # noqa: E731
        tries = [(called, partial(act, path)) for called, path in samples.sample_paths().items()]
        self._empty.offer("Or try", tries, samples.CREDIT)
        self._full = self._built()
        self._said: tuple[object, ...] = ()
        soon = Soon(self, self._show)
        for topic in ("album", "shot", "view", "face", "card"):
            window.desk.ground.bells.hear(topic, soon)
        self._show()

    def _built(self) -> ttk.Frame:
        theme, window = self._theme, self._window
        frame, gap = ttk.Frame(self), theme.long(16)
        frame.columnconfigure(0, weight=1)
        frame.rowconfigure(1, weight=1)
        head = ttk.Frame(frame, padding=(gap, gap, gap, theme.long(10)))
        head.grid(row=0, column=0, columnspan=2, sticky="ew")
        head.columnconfigure(0, weight=1)
        self._title = Words(head, style="Title.TLabel")
        self._facts = Words(head, style="Muted.TLabel")
        self._title.grid(row=0, column=0, sticky="ew")
        self._facts.grid(row=1, column=0, sticky="ew")
        buttons = ttk.Frame(head)
        buttons.grid(row=0, column=1, rowspan=2, sticky="e")
        button(buttons, theme, "Open…", window.dialogs.open_pictures, icon="open").pack(side="left")
        window.menus.button(buttons, "Save", "save").pack(side="left", padx=(theme.long(8), 0))
        self.stage = Stage(frame, theme, self._viewing.want, self._clicked)
        self.stage.grid(row=1, column=0, sticky="nsew", padx=(gap, 0), pady=(0, gap))
        self._side = Scrolled(frame, theme, width=360)
        frame.bind("<Configure>", self._divide)
        self._side.grid(row=1, column=1, sticky="ns", padx=gap, pady=(0, gap))
        self.strip = Strip(frame, theme, self._album)
        self._build_side(self._side.inner)
        return frame

    def _divide(self, event: tk.Event[tk.Misc]) -> None:
        """What was read never takes more than half from the picture."""
        self._side.widen(min(self._theme.long(360), event.width // 2))

    def _build_side(self, side: ttk.Frame) -> None:
        theme, gap = self._theme, self._theme.long(10)
        self._faces = ttk.Frame(side)
        back, on = lambda: self._album.turn(-1), lambda: self._album.turn(1)
        self._which = ttk.Label(self._faces, style="Strong.TLabel")
        self._which.pack(side="left")
        button(self._faces, theme, "", on, icon="right", style="Quiet.TButton", help="Next face (N)").pack(side="right")
        before = button(self._faces, theme, "", back, icon="left", style="Quiet.TButton", help="Face before (P)")
        before.pack(side="right")
        self._card = FaceCard(side, theme)
        self._inside = button(side, theme, "Look inside", lambda: self._window.desk.show("inside"), icon="inside")
        self._limit = Words(side, DISCLAIMER, "Muted.TLabel")
        self._note = Note(side, theme, "")
        self._parts = (self._faces, self._card, self._inside, self._limit, self._note)
        for part in self._parts:
            part.pack(fill="x", pady=(0, gap))

    def _show(self) -> None:
        shot = self._album.shot
        if shot is None:
            self._full.grid_forget()
            self._empty.grid(row=0, column=0, sticky="nsew")
            return
        self._empty.grid_forget()
        self._full.grid(row=0, column=0, sticky="nsew")
        self._title.configure(text=shot.title)
        self._facts.configure(text=self._told(shot))
        if len(self._album.shots) > 1:
            self.strip.grid(row=2, column=0, columnspan=2, sticky="ew")
        else:
            self.strip.grid_forget()
        self.strip.show()
        self._show_picture(shot)
        self._show_side(shot)

    def _told(self, shot: Shot) -> str:
        result = shot.result
        place = f"{self._album.place + 1} of {len(self._album.shots)} pictures" if len(self._album.shots) > 1 else ""
        if result is None:
            return " · ".join(part for part in (place, "could not be read" if shot.error else "being read …") if part)
        facts = (place, describe_face_count(result), f"{result.size[0]} × {result.size[1]}")
        made = f"found by {result.detector}, read by {result.model}"
        return " · ".join(part for part in (*facts, made) if part)

    def _show_picture(self, shot: Shot) -> None:
        self._viewing.want(*self.stage.room)
        view = self._viewing.view
        if view is not None:
            self.stage.show(view.pixels)
            self.stage.mark(self._marked(view.pixels.shape[1]))
        elif self._album.pixels is None:
            self.stage.show(None, "" if shot.error else f"Opening {shot.title} …")
            self.stage.mark(())

    def _marked(self, wide: int) -> tuple[Box, ...]:
        shot, reading = self._album.shot, self._album.reading
        if reading is None or shot is None or shot.result is None or len(self._album.readings) < 2:
            return ()
        return (scaled(shot.result, wide / shot.result.size[0]).readings[self._album.face].face.box,)

    def _show_side(self, shot: Shot) -> None:
        said = shot.number, shot.result, shot.error, self._album.face
        if said == self._said:
            return
        self._said = said
        for part in self._parts:
            part.pack_forget()
        gap, reading, many = self._theme.long(10), self._album.reading, len(self._album.readings)
        if shot.error or (isinstance(shot.result, FrameResult) and not many):
            words = str(shot.error) if shot.error else f"{NO_FACE} {NO_FACE_HELP}"
            self._note.say(words)
            self._note.pack(fill="x")
        elif reading is not None:
            if many > 1:
                self._which.configure(text=f"Face {self._album.face + 1} of {many}")
                self._faces.pack(fill="x", pady=(0, gap))
            self._card.show(reading, self._viewed(reading))
            self._card.pack(fill="x", pady=(0, gap))
            self._inside.pack(fill="x", pady=(0, gap))
            self._limit.pack(fill="x")
        self._side.top()

    def _viewed(self, reading: Reading) -> str:
        width, height = reading.face.box.width, reading.face.box.height
        return f"A face of {width} × {height} pixels"

    def _clicked(self, x: float, y: float) -> None:
        """The smallest face at this place is meant."""
        view, shot = self._viewing.view, self._album.shot
        if view is None or shot is None or shot.result is None:
            return
        boxes = [face.box for face in scaled(shot.result, view.pixels.shape[1] / shot.result.size[0]).faces]
        hit = [(box.width, place) for place, box in enumerate(boxes) if _inside(box, x, y)]
        if hit:
            self._album.mean(min(hit)[1])


def _inside(box: Box, x: float, y: float) -> bool:
    return box.x <= x <= box.x + box.width and box.y <= y <= box.y + box.height
