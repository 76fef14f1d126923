"""The page for the camera: what is to be known before, the moving picture, and its switches."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import TYPE_CHECKING

from mien.apps.desktop.camera_state import sources
from mien.apps.desktop.widgets import Bubble, Flow, Note, Scrolled, Words, button
from mien.apps.session.live_camera import CAMERA_NOTICE_SENTENCES

if TYPE_CHECKING:
    from mien.apps.desktop.live_panel import Pane
    from mien.apps.desktop.window import Window

#: The pane's keys that are switches here: their names, and what they do.
SWITCHES = {
    "w": ("Where it looks", "Lay over the face what the network goes by"),
    "i": ("Inside", "Show the network at work under the picture"),
    "t": ("Smoothing", "Steady what is shown; without it every frame speaks for itself"),
}


class Page(ttk.Frame):
    """Shows the camera, or how to start it."""

    def __init__(self, parent: tk.Misc, window: Window) -> None:
        super().__init__(parent)
        self._window, self._theme, self._camera = window, window.theme, window.desk.camera
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self._source = tk.StringVar(self, self._camera.source or sources()[0])
        self._mirror = tk.BooleanVar(self, self._camera.mirror)
        self._off: tk.Widget | None = None
        self._on: tk.Widget | None = None
        self.pane: Pane | None = None
        self._states: dict[str, tk.BooleanVar] = {}
        window.desk.ground.bells.hear("camera", self._show)
        self._show()

    def press(self, key: str) -> None:
        """A key of the pane, where there is one."""
        if self.pane is not None:
            self.pane.press(key)

    def start(self) -> None:
        self._camera.start(self._source.get().strip() or "0", self._mirror.get())

    def _show(self) -> None:
        for part in (self._off, self._on):
            if part is not None:
                part.destroy()
        self._off = self._on = self.pane = None
        if self._camera.watching is not None:
            self._on = self._moving()
            self._on.grid(row=0, column=0, sticky="nsew")
        else:
            self._off = self._notice()
            self._off.grid(row=0, column=0, sticky="nsew")

    def _notice(self) -> tk.Widget:
        theme, gap = self._theme, self._theme.long(16)
        around = Scrolled(self, theme)
        card = ttk.Frame(around.inner, style="Card.TFrame", padding=2 * gap)
        around.bind(
            "<Configure>", lambda event: card.pack_configure(padx=max((event.width - theme.long(600)) // 2, gap))
        )
        card.pack(pady=3 * gap, fill="x")
        ttk.Label(card, image=theme.icon("camera", theme.shades.muted, 48), style="Card.TLabel").pack(anchor="w")
        ttk.Label(card, text="Before the camera opens", style="Card.Title.TLabel").pack(anchor="w", pady=theme.long(8))
        for sentence in CAMERA_NOTICE_SENTENCES:
            Words(card, f"•  {sentence}", "Card.TLabel").pack(fill="x", pady=theme.long(3))
        self._choices(card).pack(anchor="w", fill="x", pady=(gap, 0))
        if self._camera.error:
            Note(card, theme, str(self._camera.error)).pack(fill="x", pady=(gap, 0))
        return around

    def _choices(self, card: tk.Misc) -> ttk.Frame:
        theme, opening = self._theme, self._camera.stage == "opening"
        row = ttk.Frame(card, style="Raised.TFrame")
        line = Flow(row, theme, "Raised.TFrame")
        line.pack(fill="x")
        line.add(ttk.Label(line, text="Camera", style="Card.TLabel", padding=theme.long(5)))
        field = self._field = ttk.Combobox(
            line, textvariable=self._source, values=sources(), width=22, font=theme.letters(14)
        )
        field.configure(style="Card.TCombobox")
        line.add(field, 16)
        field.bind("<Return>", lambda _event: self.start())
        Bubble(field, theme, "A camera's number (0 is the first), the address of one, or the path of a film")
        mirror = ttk.Checkbutton(line, text="as in a mirror", variable=self._mirror, style="Card.TCheckbutton")
        line.add(mirror)
        words = "Opening the camera …" if opening else "Start the camera"
        start = button(row, theme, words, self.start, style="Card.Main.TButton", icon="camera")
        start.pack(anchor="w", pady=(theme.long(14), 0))
        if opening:
            start.state(["disabled"])
        return row

    def _moving(self) -> tk.Widget:
        from mien.apps.desktop.live_panel import Pane

        theme, camera, gap = self._theme, self._camera, self._theme.long(16)
        assert camera.watching is not None, "the camera is on"
        assert camera.engine is not None, "somebody reads it"
        around = Scrolled(self, theme, fill=True)
        frame = around.inner
        frame.configure(padding=gap)
        frame.columnconfigure(0, weight=1)
        frame.rowconfigure(1, weight=1, minsize=theme.long(320))
        bar = Flow(frame, theme)
        bar.grid(row=0, column=0, sticky="ew", pady=(0, theme.long(12)))
        self._buttons(bar)
        self.pane = Pane(
            frame,
            camera.watching,
            camera.engine,
            quit=camera.over,
            shades=theme.shades,
            lit=self._lit,
            keep=camera.keep,
            failed=self._window.desk.ground.problem,
        )
        self.pane.grid(row=1, column=0, sticky="nsew")
        return around

    def _buttons(self, bar: Flow) -> None:
        theme = self._theme
        stop = button(bar, theme, "Stop", self._camera.stop, icon="stop", style="Main.TButton")
        self._pause = button(bar, theme, "Pause", lambda: self.press("space"), icon="pause")
        shot = button(bar, theme, "Snapshot", lambda: self.press("s"), icon="snapshot")
        for each in (stop, self._pause, shot):
            bar.add(each)
        self._states = {key: tk.BooleanVar(self, key == "t") for key in SWITCHES}
        for key, (name, does) in SWITCHES.items():
            switch = ttk.Checkbutton(bar, text=name, variable=self._states[key], style="Choice.TCheckbutton")
            switch.configure(command=lambda key=key: self.press(key))  # type: ignore[misc]
            bar.add(switch)
            Bubble(switch, theme, f"{does} ({key.upper()})")

    def _lit(self, on: dict[str, bool]) -> None:
        for key, state in self._states.items():
            state.set(on.get(key, False))
        paused = on.get("space", False)
        self._pause.configure(
            text=" Go on" if paused else " Pause", image=self._theme.icon("play" if paused else "pause")
        )
