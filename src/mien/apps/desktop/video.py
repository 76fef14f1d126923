"""The page Video: the displayed frame, the events, and the scores of all tracks over time."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageTk

from mien.apps.desktop.commands import PageOwner
from mien.apps.desktop.drawing import axis_marks, draw_timeline
from mien.apps.desktop.style import Theme
from mien.apps.desktop.video_state import FRAME_RATES, TrackTimeline, VideoProgress
from mien.apps.desktop.widgets import (
    EmptyPage,
    FlowLayout,
    IdleCallback,
    ImageView,
    Notice,
    PageFrame,
    PageHeader,
    ScrollFrame,
    add_scrollbar,
    create_button,
    create_card,
    on_narrow,
    set_visible,
)
from mien.labels import label_colour
from mien.text import DISCLAIMER, format_count, format_percent, format_time

if TYPE_CHECKING:
    from mien.video.events import Event

_FRAME_RATES = {f"{rate:g} a second": rate for rate in FRAME_RATES}


#: Heights of the parts of a track, and of the axis, in pixels of the design.
_TITLE, _SCORES, _EVENTS, _GAP, _AXIS = 26, 54, 12, 14, 26


class VideoPage(PageFrame):
    """Shows the open video, or how to open one."""

    def __init__(self, parent: tk.Misc, window: PageOwner) -> None:
        super().__init__(parent)
        self._window, self._theme, self._state = window, window.theme, window.application.video
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
        events.subscribe(IdleCallback(self, self._show), "video")
        events.subscribe(IdleCallback(self, self._show_progress), "progress")
        events.subscribe(IdleCallback(self, self._show_frame), "frame")
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
        self._header = PageHeader(frame, theme, self._window.dialogs.open_video)
        self._header.grid(row=0, column=0, columnspan=2, sticky="ew", pady=(0, theme.px(10)))
        save = self._window.menus.create_save_button(self._header.buttons, "video")
        save.pack(side="left", padx=(theme.px(8), 0))
        self._notice = Notice(frame, theme)
        self._notice.grid(row=1, column=0, columnspan=2, sticky="ew", pady=(0, theme.px(10)))
        self._view = ImageView(frame, theme, self._state.resize_view)
        table = self._build_events(frame)

        def arrange(narrow: bool) -> None:
            row, column, columns = (5, 0, 2) if narrow else (2, 1, 1)
            self._view.grid(row=2, column=0, columnspan=columns, sticky="nsew")
            table.grid(row=row, column=column, columnspan=columns, sticky="nsew", padx=(gap * column, 0))

        on_narrow(frame, theme, arrange)
        self._build_controls(frame).grid(row=3, column=0, columnspan=2, sticky="ew", pady=theme.px(8))
        self.timeline = TimelineView(frame, theme, self._state.seek)
        self.timeline.grid(row=4, column=0, columnspan=2, sticky="nsew")
        return scroll_frame

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
            self.show_content(self._empty)
            return
        self.show_content(self._content)
        incomplete = state.video.incomplete if state.stage in ("stopped", "complete") else None
        notice = str(state.error) if state.error else incomplete or ""
        self._notice.set_text(notice)
        set_visible(self._notice, bool(notice))
        self.play_button.configure(image=self._theme.icon("pause" if state.playing else "play"))
        self.play_button.state(["!disabled" if state.has_results else "disabled"])
        self._show_facts()

    def _show_facts(self) -> None:
        state, progress = self._state, self._state.progress
        if state.video is None:
            return
        info = state.video.info
        facts = (
            "analysing …" if state.stage == "analysing" else "",
            f"{info.size[0]} × {info.size[1]}" if info else "",
            progress.description,
        )
        self._header.show(state.video.path.name, facts)

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


class TimelineView(ttk.Frame):
    """A row for each track: its summary, its stacked scores, and its events; and the position as a line.

    ``on_seek`` is called with the seconds of a click; the arrow keys move by one second.
    """

    def __init__(self, parent: tk.Misc, theme: Theme, on_seek: Callable[[float], None]) -> None:
        super().__init__(parent)
        self._theme, self._on_seek = theme, on_seek
        colors = theme.colors
        self.canvas = tk.Canvas(self, background=colors.background, highlightthickness=theme.px(2), height=10, width=10)
        self.canvas.configure(highlightbackground=colors.background, highlightcolor=colors.accent, takefocus=True)
        self.canvas.pack(side="left", fill="both", expand=True)
        add_scrollbar(self, self.canvas)
        self._progress, self._length, self._position = VideoProgress(), 1.0, 0.0
        self._labels: tuple[str, ...] = ()
        self._photos: list[ImageTk.PhotoImage] = []
        self._left = theme.px(6)
        self._request_draw = IdleCallback(self, self._draw)
        self.canvas.bind("<Configure>", self._request_draw)
        self.canvas.bind("<Button-1>", self._click)
        self.canvas.bind("<B1-Motion>", self._click)
        for key, step in (("<Left>", -1.0), ("<Right>", 1.0)):
            self.canvas.bind(key, lambda _event, step=step: self._on_seek(max(self._position + step, 0.0)))  # type: ignore[misc]

    def show(self, progress: VideoProgress, labels: tuple[str, ...], length: float) -> None:
        """``length`` is the duration of the video in seconds."""
        self._progress, self._labels, self._length = progress, labels, max(length, 0.1)
        self._request_draw()

    def set_position(self, seconds: float) -> None:
        self._position = seconds
        x = self._x(seconds)
        self.canvas.coords("cursor", x, 0, x, self._height)
        self.canvas.tag_raise("cursor")

    @property
    def _row_height(self) -> int:
        return self._theme.px(_TITLE + _SCORES + _EVENTS + _GAP)

    @property
    def _height(self) -> int:
        hidden = self._progress.track_count > len(self._progress.tracks)
        return self._row_height * len(self._progress.tracks) + self._theme.px(_AXIS) * (2 if hidden else 1)

    @property
    def _width(self) -> int:
        return max(self.canvas.winfo_width() - 2 * self._left, 10)

    def _x(self, seconds: float) -> float:
        return self._left + (seconds - self._progress.start) / self._length * self._width

    def _draw(self) -> None:
        canvas, theme = self.canvas, self._theme
        canvas.delete("all")
        self._photos = []
        top = 0
        for track in self._progress.tracks:
            self._draw_track(track, top)
            top += self._row_height
        text: dict[str, Any] = {"fill": theme.colors.muted, "font": theme.font(11)}
        if hidden := self._progress.track_count - len(self._progress.tracks):
            note = f"{format_count(hidden, 'more track')}, visible for less time or not judged: see the report"
            canvas.create_text(self._left, top + theme.px(_AXIS), text=note, anchor="nw", **text)
        end = self._progress.start + self._length
        for seconds in axis_marks(self._progress.start, end, max(self._width // theme.px(90), 1)):
            x = self._x(seconds)
            canvas.create_line(x, top, x, top + theme.px(4), fill=theme.colors.muted)
            anchor: Any = "nw" if x < self._left + theme.px(20) else "ne" if x > self._width else "n"
            canvas.create_text(x, top + theme.px(6), text=format_time(seconds), anchor=anchor, **text)
        canvas.create_line(0, 0, 0, 0, fill=theme.colors.text, width=theme.px(2), tags="cursor")
        canvas.configure(scrollregion=(0, 0, canvas.winfo_width(), self._height))
        self.set_position(self._position)

    def _draw_track(self, track: TrackTimeline, top: int) -> None:
        theme, canvas, px = self._theme, self.canvas, self._theme.px
        name = f"Track {track.summary.number}"
        title = canvas.create_text(self._left, top, text=name, anchor="nw", fill=theme.colors.text)
        canvas.itemconfigure(title, font=theme.font(13, True))
        right = canvas.bbox(title)[2] + px(12)
        facts = canvas.create_text(right, top + px(1), text=track.summary.describe(), anchor="nw")
        canvas.itemconfigure(facts, fill=theme.colors.muted, font=theme.font(12))
        y, size = top + px(_TITLE), (self._width, px(_SCORES))
        span = self._progress.start, self._progress.start + self._length
        image = Image.fromarray(draw_timeline(track.steps, self._labels, size, span, theme.colors.panel))
        self._photos.append(theme.photo(image))
        canvas.create_image(self._left, y, image=self._photos[-1], anchor="nw")
        y += px(_SCORES) + px(3)
        for event in self._progress.events:
            if event.track == track.summary.number:
                color, left = label_colour(event.emotion, self._labels), self._x(event.start)
                last = max(self._x(event.end) - 1, left + 1)
                canvas.create_rectangle(left, y, last, y + px(_EVENTS - 3), fill=color, width=0)

    def _click(self, event: tk.Event[tk.Misc]) -> None:
        self.canvas.focus_set()
        fraction = min(max((event.x - self._left) / self._width, 0.0), 1.0)
        self._on_seek(self._progress.start + fraction * self._length)
