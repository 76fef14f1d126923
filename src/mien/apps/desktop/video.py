"""The page for films: the film, what happens in it, and everybody over its time."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import TYPE_CHECKING, Any

from mien.apps.desktop.image_view import Stage
from mien.apps.desktop.timeline import Timeline
from mien.apps.desktop.video_state import RATES
from mien.apps.desktop.widgets import Empty, Flow, Note, Scrolled, Soon, Words, button, watch_width, with_bar
from mien.apps.desktop.widgets import card as card_of
from mien.text import DISCLAIMER, format_duration, format_percent, format_time

if TYPE_CHECKING:
    from mien.apps.desktop.window import Window
    from mien.video.events import Event

_RATES = {f"{rate:g} a second": rate for rate in RATES}


class Page(ttk.Frame):
    """Shows the film, or how to open one."""

    def __init__(self, parent: tk.Misc, window: Window) -> None:
        super().__init__(parent)
        self._window, self._theme, self._film = window, window.theme, window.desk.film
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        words = (
            "It is read on this machine: who shows which expression, and when.",
            window.drop_words("a film"),
            DISCLAIMER,
        )
        choose = ("Choose a film…", window.dialogs.open_film)
        self._empty = Empty(self, self._theme, "video", "Open a film to see its expressions over time", words, [choose])
        self._full = self._built()
        bells = window.desk.ground.bells
        bells.hear("film", Soon(self, self._show))
        bells.hear("course", Soon(self, self._show_course))
        bells.hear("frame", Soon(self, self._show_frame))
        self._show()
        self._show_course()
        self._show_frame()

    def toggle(self) -> None:
        """Play, or stop playing."""
        self._film.pause() if self._film.playing else self._film.play()

    def _built(self) -> Scrolled:
        theme, gap = self._theme, self._theme.long(16)
        around = Scrolled(self, theme, fill=True)
        frame = around.inner
        frame.configure(padding=(gap, gap, gap, theme.long(8)))
        frame.columnconfigure(0, weight=3)
        frame.columnconfigure(1, weight=1)
        frame.rowconfigure(2, weight=3, minsize=theme.long(220))
        frame.rowconfigure(4, weight=3, minsize=theme.long(150))
        self._head(frame).grid(row=0, column=0, columnspan=2, sticky="ew", pady=(0, theme.long(10)))
        self._note = Note(frame, theme, "")
        self._stage = Stage(frame, theme, self._film.fit)
        table = self._table(frame)

        def arrange(narrow: bool) -> None:
            self._stage.grid(row=2, column=0, columnspan=2 if narrow else 1, sticky="nsew")
            place: dict[str, Any] = {"row": 5 if narrow else 2, "column": 0 if narrow else 1}
            table.grid(sticky="nsew", columnspan=2 if narrow else 1, padx=(0 if narrow else gap, 0), **place)

        watch_width(frame, theme, arrange)
        self._transport(frame).grid(row=3, column=0, columnspan=2, sticky="ew", pady=theme.long(8))
        self._timeline = Timeline(frame, theme, self._film.seek)
        self._timeline.grid(row=4, column=0, columnspan=2, sticky="nsew")
        return around

    def _head(self, frame: ttk.Frame) -> ttk.Frame:
        theme, window, space = self._theme, self._window, (self._theme.long(8), 0)
        head = ttk.Frame(frame)
        head.columnconfigure(0, weight=1)
        self._title, self._facts = Words(head, style="Title.TLabel"), Words(head, style="Muted.TLabel")
        self._title.grid(row=0, column=0, sticky="ew")
        self._facts.grid(row=1, column=0, sticky="ew")
        buttons = ttk.Frame(head)
        buttons.grid(row=0, column=1, rowspan=2, sticky="e")
        button(buttons, theme, "Open…", window.dialogs.open_film, icon="open").pack(side="left")
        window.menus.button(buttons, "Save", "film").pack(side="left", padx=space)
        return head

    def _table(self, frame: ttk.Frame) -> ttk.Frame:
        theme = self._theme
        card = card_of(frame, theme)
        self._listed: tuple[Event, ...] = ()
        ttk.Label(card, text="Events", style="Card.Strong.TLabel").pack(anchor="w")
        columns = {"person": ("person", 60), "label": ("looks", 90), "start": ("from", 70), "peak": ("peak", 60)}
        self._events = ttk.Treeview(card, columns=tuple(columns), show="headings", height=4, selectmode="browse")
        for name, (words, wide) in columns.items():
            self._events.heading(name, text=words, anchor="w")
            self._events.column(name, width=theme.long(wide), minwidth=theme.long(40), anchor="w")
        self._events.pack(side="left", fill="both", expand=True, pady=(theme.long(6), 0))
        with_bar(card, self._events)
        self._events.bind("<<TreeviewSelect>>", self._chosen)
        return card

    def _transport(self, frame: ttk.Frame) -> ttk.Frame:
        theme, film = self._theme, self._film
        row = Flow(frame, theme)
        self._play = button(row, theme, "", self.toggle, icon="play", help="Play (Space)")
        row.add(self._play, 12)
        self._time = ttk.Label(row, style="Muted.TLabel", padding=theme.long(7), width=20)
        row.add(self._time)
        self._rate = tk.StringVar(self, next(words for words, rate in _RATES.items() if rate == film.fps))
        read = ttk.Frame(row)
        ttk.Label(read, text="Frames read", style="Muted.TLabel").pack(side="left", padx=theme.long(8))
        rates = ttk.Combobox(read, textvariable=self._rate, values=tuple(_RATES), state="readonly", width=12)
        rates.configure(font=theme.letters(14))
        self._hide = tk.BooleanVar(self, film.hidden)
        hide = ttk.Checkbutton(row, text="Hide faces in what is saved", variable=self._hide, command=self._hidden)
        row.add(hide, 16)
        rates.pack(side="left")
        row.add(read, 12)
        row.add(button(row, theme, "Read again", self._again, icon="again"))
        return row

    def _again(self) -> None:
        self._film.fps = _RATES[self._rate.get()]
        self._film.again()

    def _hidden(self) -> None:
        self._film.hidden = self._hide.get()

    def _show(self) -> None:
        film = self._film
        if film.reel is None:
            self._full.grid_forget()
            self._empty.grid(row=0, column=0, sticky="nsew")
            return
        self._empty.grid_forget()
        self._full.grid(row=0, column=0, sticky="nsew")
        self._title.configure(text=film.reel.path.name)
        words = str(film.error) if film.error else film.reel.unfinished if film.stage in ("left", "read") else None
        self._note.say(words or "")
        if words:
            self._note.grid(row=1, column=0, columnspan=2, sticky="ew", pady=(0, self._theme.long(10)))
        else:
            self._note.grid_forget()
        self._play.configure(image=self._theme.icon("pause" if film.playing else "play"))
        self._play.state(["!disabled" if film.known else "disabled"])
        self._tell()

    def _tell(self) -> None:
        film = self._film
        about = film.reel.about if film.reel else None
        facts = [f"{about.size[0]} × {about.size[1]}"] if about else []
        facts += [format_duration(film.seconds)] if film.seconds else []
        facts += [f"{film.course.frames:,} frames read", _counted(len(film.course.people), "person", "people")]
        facts += [_counted(len(film.course.events), "event", "events")]
        reading = ["being read …"] if film.stage == "reading" else []
        self._facts.configure(text=" · ".join([*reading, *facts]))

    def _show_course(self) -> None:
        film = self._film
        if film.reel is None:
            return
        length = film.seconds or film.course.end
        self._timeline.show(film.course, film.reel.labels, length - film.course.start)
        self._list(film.course.events)
        self._tell()

    def _list(self, events: tuple[Event, ...]) -> None:
        """Add what is new; at its end a film's events are put in order, and all of them are listed anew."""
        if events[: len(self._listed)] != self._listed:
            self._events.delete(*self._events.get_children())
            self._listed = ()
        for event in events[len(self._listed) :]:
            values = (event.track, event.emotion, format_time(event.start), format_percent(event.peak, no_break=True))
            self._events.insert("", "end", values=values)
        self._listed = events

    def _show_frame(self) -> None:
        film = self._film
        self._stage.show(film.glimpse.pixels if film.glimpse else None, "" if film.error else "Opening the film …")
        self._timeline.look(film.at)
        whole = f" of {format_time(film.seconds)}" if film.seconds else ""
        self._time.configure(text=f"{format_time(film.at)}{whole}")

    def _chosen(self, _event: object) -> None:
        chosen = self._events.selection()
        if chosen and self._film.known:
            event = self._film.course.events[self._events.index(chosen[0])]
            self._film.seek(event.peak_at)


def _counted(many: int, one: str, several: str) -> str:
    return f"{many:,} {one if many == 1 else several}"
