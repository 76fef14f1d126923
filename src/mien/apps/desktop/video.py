"""The page Video: the displayed frame, the events, and the timelines of all tracks."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import TYPE_CHECKING, Any

from mien.apps.desktop.commands import PageOwner
from mien.apps.desktop.image_view import ImageView
from mien.apps.desktop.timeline import TimelineView
from mien.apps.desktop.video_state import FRAME_RATES
from mien.apps.desktop.widgets import (
    EmptyPage,
    FlowLayout,
    IdleCallback,
    Notice,
    ScrollFrame,
    WrappedLabel,
    add_scrollbar,
    create_button,
    create_card,
    on_narrow,
)
from mien.text import DISCLAIMER, format_duration, format_percent, format_time

if TYPE_CHECKING:
    from mien.video.events import Event

_FRAME_RATES = {f"{rate:g} a second": rate for rate in FRAME_RATES}


class VideoPage(ttk.Frame):
    """Shows the open video, or how to open one."""

    def __init__(self, parent: tk.Misc, window: PageOwner) -> None:
        super().__init__(parent)
        self._window, self._theme, self._state = window, window.theme, window.application.video
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self._empty = EmptyPage(
            self,
            self._theme,
            "video",
            "Open a video to see its expressions over time",
            (
                "It is analysed on this machine: which expression is visible on which face, and when.",
                window.describe_input("a video"),
                DISCLAIMER,
            ),
            [("Choose a video…", window.dialogs.open_video)],
        )
        self._content = self._build()
        events = window.application.state.events
        events.subscribe("video", IdleCallback(self, self._show))
        events.subscribe("progress", IdleCallback(self, self._show_progress))
        events.subscribe("frame", IdleCallback(self, self._show_frame))
        self._show()
        self._show_progress()
        self._show_frame()

    def toggle_playback(self) -> None:
        if self._state.playing:
            self._state.pause()
        else:
            self._state.play()

    # Layout

    def _build(self) -> ScrollFrame:
        theme, gap = self._theme, self._theme.px(16)
        scroll_frame = ScrollFrame(self, theme, fill=True)
        frame = scroll_frame.inner
        frame.configure(padding=(gap, gap, gap, theme.px(8)))
        frame.columnconfigure(0, weight=3)
        frame.columnconfigure(1, weight=1)
        frame.rowconfigure(2, weight=3, minsize=theme.px(220))
        frame.rowconfigure(4, weight=3, minsize=theme.px(150))
        self._build_head(frame).grid(row=0, column=0, columnspan=2, sticky="ew", pady=(0, theme.px(10)))
        self._notice = Notice(frame, theme)
        self._view = ImageView(frame, theme, self._state.resize_view)
        table = self._build_events(frame)

        def arrange(narrow: bool) -> None:
            columns = 2 if narrow else 1
            self._view.grid(row=2, column=0, columnspan=columns, sticky="nsew")
            place: dict[str, Any] = {"row": 5 if narrow else 2, "column": 0 if narrow else 1}
            table.grid(sticky="nsew", columnspan=columns, padx=(0 if narrow else gap, 0), **place)

        on_narrow(frame, theme, arrange)
        self._build_controls(frame).grid(row=3, column=0, columnspan=2, sticky="ew", pady=theme.px(8))
        self.timeline = TimelineView(frame, theme, self._state.seek)
        self.timeline.grid(row=4, column=0, columnspan=2, sticky="nsew")
        return scroll_frame

    def _build_head(self, frame: ttk.Frame) -> ttk.Frame:
        theme, window = self._theme, self._window
        head = ttk.Frame(frame)
        head.columnconfigure(0, weight=1)
        self._title, self._facts = WrappedLabel(head, style="Title.TLabel"), WrappedLabel(head, style="Muted.TLabel")
        self._title.grid(row=0, column=0, sticky="ew")
        self._facts.grid(row=1, column=0, sticky="ew")
        buttons = ttk.Frame(head)
        buttons.grid(row=0, column=1, rowspan=2, sticky="e")
        create_button(buttons, theme, "Open…", window.dialogs.open_video, icon="open").pack(side="left")
        window.menus.create_save_button(buttons, "video").pack(side="left", padx=(theme.px(8), 0))
        return head

    def _build_events(self, frame: ttk.Frame) -> ttk.Frame:
        theme = self._theme
        card = create_card(frame, theme)
        self._listed: tuple[Event, ...] = ()
        ttk.Label(card, text="Events", style="Card.Strong.TLabel").pack(anchor="w")
        columns = {"track": ("track", 60), "emotion": ("emotion", 90), "start": ("start", 70), "peak": ("peak", 60)}
        self.events = ttk.Treeview(card, columns=tuple(columns), show="headings", height=4, selectmode="browse")
        for name, (heading, width) in columns.items():
            self.events.heading(name, text=heading, anchor="w")
            self.events.column(name, width=theme.px(width), minwidth=theme.px(40), anchor="w")
        self.events.pack(side="left", fill="both", expand=True, pady=(theme.px(6), 0))
        add_scrollbar(card, self.events)
        self.events.bind("<<TreeviewSelect>>", self._seek_event)
        return card

    def _build_controls(self, frame: ttk.Frame) -> ttk.Frame:
        theme, state = self._theme, self._state
        row = FlowLayout(frame, theme)
        self.play_button = create_button(row, theme, "", self.toggle_playback, icon="play", tooltip="Play (Space)")
        row.add(self.play_button, 12)
        self._time = ttk.Label(row, style="Muted.TLabel", padding=theme.px(7), width=20)
        row.add(self._time)
        self._blur = tk.BooleanVar(self, state.blur_faces)
        blur = ttk.Checkbutton(row, text="Blur faces in saved files", variable=self._blur)
        blur.configure(command=lambda: setattr(state, "blur_faces", self._blur.get()))
        row.add(blur, 16)
        self._rate = tk.StringVar(self, next(text for text, rate in _FRAME_RATES.items() if rate == state.fps))
        rate_frame = ttk.Frame(row)
        ttk.Label(rate_frame, text="Frames analysed", style="Muted.TLabel").pack(side="left", padx=theme.px(8))
        rates = ttk.Combobox(rate_frame, textvariable=self._rate, values=tuple(_FRAME_RATES), state="readonly")
        rates.configure(width=12, font=theme.font(14))
        rates.pack(side="left")
        row.add(rate_frame, 12)
        row.add(create_button(row, theme, "Analyse again", self._analyze_again, icon="repeat"))
        return row

    def _analyze_again(self) -> None:
        self._state.fps = _FRAME_RATES[self._rate.get()]
        self._state.analyze_again()

    # Content

    def _show(self) -> None:
        state = self._state
        if state.video is None:
            self._content.grid_forget()
            self._empty.grid(row=0, column=0, sticky="nsew")
            return
        self._empty.grid_forget()
        self._content.grid(row=0, column=0, sticky="nsew")
        self._title.configure(text=state.video.path.name)
        incomplete = state.video.incomplete if state.stage in ("stopped", "complete") else None
        notice = str(state.error) if state.error else incomplete or ""
        self._notice.set_text(notice)
        if notice:
            self._notice.grid(row=1, column=0, columnspan=2, sticky="ew", pady=(0, self._theme.px(10)))
        else:
            self._notice.grid_forget()
        self.play_button.configure(image=self._theme.icon("pause" if state.playing else "play"))
        self.play_button.state(["!disabled" if state.has_results else "disabled"])
        self._show_facts()

    def _show_facts(self) -> None:
        state, progress = self._state, self._state.progress
        info = state.video.info if state.video else None
        facts = ["analysing …"] if state.stage == "analysing" else []
        facts += [f"{info.size[0]} × {info.size[1]}"] if info else []
        facts += [format_duration(state.duration)] if state.duration else []
        facts.append(f"{progress.frames:,} frames analysed")
        facts += [_count(len(progress.tracks), "track"), _count(len(progress.events), "event")]
        self._facts.configure(text=" · ".join(facts))

    def _show_progress(self) -> None:
        state, progress = self._state, self._state.progress
        if state.video is None:
            return
        length = (state.duration or progress.end) - progress.start
        self.timeline.show(progress, state.video.labels, length)
        self._list_events(progress.events)
        self._show_facts()

    def _list_events(self, events: tuple[Event, ...]) -> None:
        """Append the new events. At the end of a video its events are sorted, and all of them are listed anew."""
        if events[: len(self._listed)] != self._listed:
            self.events.delete(*self.events.get_children())
            self._listed = ()
        for event in events[len(self._listed) :]:
            values = (event.track, event.emotion, format_time(event.start), format_percent(event.peak))
            self.events.insert("", "end", values=values)
        self._listed = events

    def _show_frame(self) -> None:
        state = self._state
        self._view.show(state.frame.pixels if state.frame else None, "" if state.error else "Opening the video …")
        self.timeline.set_position(state.position)
        duration = f" of {format_time(state.duration)}" if state.duration else ""
        self._time.configure(text=f"{format_time(state.position)}{duration}")

    def _seek_event(self, _event: object) -> None:
        selection = self.events.selection()
        if selection and self._state.has_results:
            self._state.seek(self._state.progress.events[self.events.index(selection[0])].peak_at)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
