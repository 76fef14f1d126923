"""What stands around the pages: the rail at the left, the status line below."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import TYPE_CHECKING

from mien.apps.desktop.application import PAGES
from mien.apps.desktop.commands import NAMES
from mien.apps.desktop.model_list import called
from mien.apps.desktop.state import Status
from mien.apps.desktop.widgets import Bubble, Soon, button

if TYPE_CHECKING:
    from mien.apps.desktop.window import Window


class Rail(ttk.Frame):
    """The pages, one below the other; a dot beside the camera while it is open."""

    def __init__(self, parent: tk.Misc, window: Window) -> None:
        theme = window.theme
        super().__init__(parent, style="Panel.TFrame", padding=theme.long(8))
        self._window, self._theme = window, theme
        self._page = tk.StringVar(self, window.desk.page)
        self._buttons: dict[str, ttk.Radiobutton] = {}
        for place, page in enumerate(PAGES, 1):
            choose = ttk.Radiobutton(
                self, text=NAMES[page], value=page, variable=self._page, style="Rail.TRadiobutton", takefocus=True
            )
            choose.configure(command=lambda page=page: window.desk.show(page))  # type: ignore[misc]
            choose.pack(fill="x", pady=(0, theme.long(4)))
            Bubble(choose, theme, f"{NAMES[page]} ({'⌘' if window.on_a_mac else 'Ctrl+'}{place})")
            self._buttons[page] = choose
        bells = window.desk.ground.bells
        bells.hear("page", self._show)
        bells.hear("camera", self._show)
        self._show()

    def _show(self) -> None:
        theme, on = self._theme, self._window.desk.camera.stage == "on"
        self._page.set(self._window.desk.page)
        for page, choose in self._buttons.items():
            hue = theme.shades.accent if page == self._window.desk.page else theme.shades.muted
            hue = theme.tones.wrong if page == "camera" and on else hue
            choose.configure(
                image=theme.icon(page, hue, 26), text="Camera on" if page == "camera" and on else NAMES[page]
            )


class Foot(ttk.Frame):
    """What goes on, how far it is, what went wrong; who reads and who finds the faces."""

    def __init__(self, parent: tk.Misc, window: Window) -> None:
        theme = window.theme
        super().__init__(parent, style="Panel.TFrame", padding=(theme.long(14), theme.long(6)))
        self._window, self._theme, self._ground = window, theme, window.desk.ground
        self.columnconfigure(0, weight=1)
        self._words = ttk.Label(self, style="Panel.Muted.TLabel", justify="left")
        self._words.grid(row=0, column=0, sticky="ew")
        self._words.bind("<Configure>", lambda event: self._words.configure(wraplength=event.width))
        self._bar = ttk.Progressbar(
            self, style="Panel.Horizontal.TProgressbar", length=theme.long(130), mode="determinate", maximum=1.0
        )
        self._cancel = button(self, theme, "Cancel", window.desk.cancel, style="Panel.Quiet.TButton", help="Esc")
        self._fields: dict[str, tuple[ttk.Combobox, tk.StringVar]] = {}
        self._fading, self._job = Status(), ""
        self.bind("<Destroy>", self._gone)
        for column, (part, words) in enumerate((("model", "Model"), ("detector", "Faces by")), 3):
            self._pick(part, words).grid(row=0, column=column, padx=(theme.long(14), 0))
        bells = self._ground.bells
        soon = Soon(self, self._show)
        for topic in ("status", "busy", "album", "course", "film", "card", "models", "camera"):
            bells.hear(topic, soon)
        self._show()

    def _pick(self, part: str, words: str) -> ttk.Frame:
        theme = self._theme
        frame, value = ttk.Frame(self, style="Panel.TFrame"), tk.StringVar(self)
        ttk.Label(frame, text=words, style="Panel.Muted.TLabel").pack(side="left", padx=(0, theme.long(6)))
        field = ttk.Combobox(frame, textvariable=value, state="readonly", width=8, font=theme.letters(13))
        field.configure(style="Panel.TCombobox")
        field.pack(side="left")
        field.bind("<<ComboboxSelected>>", lambda _event: self._picked(part, field.current()))
        self._fields[part] = field, value
        return frame

    def _picked(self, part: str, place: int) -> None:
        shelf = self._window.desk.shelf
        names = shelf.models if part == "model" else shelf.detectors
        choice = self._ground.choice._replace(**{part: names[place]})
        if choice != self._ground.choice:
            self._ground.choose(choice)

    def _show(self) -> None:
        status, ground = self._ground.status, self._ground
        self._fade(status)
        progress = self._window.progress()
        self._words.configure(text=status.words or self._usual(), style=self._style(status.error))
        if progress is None:
            self._bar.grid_forget()
        else:
            self._bar.configure(value=progress)
            self._bar.grid(row=0, column=1, padx=self._theme.long(10))
        self._cancel.grid(row=0, column=2) if ground.busy else self._cancel.grid_forget()
        shelf = self._window.desk.shelf
        for part, names in (("model", shelf.models), ("detector", shelf.detectors)):
            field, value = self._fields[part]
            field.configure(values=[called(name) for name in names])
            value.set(called(getattr(ground.choice, part)))

    def _fade(self, status: Status) -> None:
        """What was said is said long enough to be read; what went wrong stays until something else is to be said."""
        if status is self._fading or not status.words or status.error:
            return
        self._fading = status
        if self._job:
            self.after_cancel(self._job)
        self._job = self.after(round(1000 * (3 + len(status.words) / 15)), self._faded, status)

    def _faded(self, status: Status) -> None:
        if self._ground.status is status:
            self._ground.say("")

    def _gone(self, event: tk.Event[tk.Misc]) -> None:
        if event.widget is self and self._job:
            self.after_cancel(self._job)

    def _style(self, error: bool) -> str:
        return "Panel.Wrong.TLabel" if error else "Panel.Muted.TLabel"

    def _usual(self) -> str:
        """What there is to say when nothing was said."""
        desk = self._window.desk
        if self._ground.card is None:
            return "The model is being loaded …"
        many, done = len(desk.album.shots), desk.album.done
        if many and done < many and self._ground.busy:
            return f"{done:,} of {many:,} pictures read"
        if desk.film.stage == "reading":
            return "The film is being read …"
        return "Ready. Nothing leaves this machine."
