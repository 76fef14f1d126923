"""The page Camera: the notice before the camera opens, then the live image with its switches."""

from __future__ import annotations

import tkinter as tk
from pathlib import Path
from tkinter import ttk
from typing import TYPE_CHECKING

from mien.apps.desktop.commands import PageOwner
from mien.apps.desktop.widgets import FlowLayout, Notice, PageFrame, ScrollFrame, Tooltip, WrappedLabel, create_button
from mien.apps.session.live_camera import CAMERA_NOTICE_SENTENCES

if TYPE_CHECKING:
    from mien.apps.desktop.live_panel import LivePanel

#: The keys of the live panel that are switches here: their names and tooltips.
SWITCHES = {
    "w": ("Evidence map", "Show over the face which regions are evidence for the prediction"),
    "i": ("Layers", "Show the activations of the network below the image"),
    "t": ("Smoothing", "Smooth the scores over time; without it every frame is shown as it is"),
}


def list_cameras() -> tuple[str, ...]:
    """The numbers of the cameras, where the system lists them without opening one; elsewhere the first."""
    devices = Path("/dev").glob("video[0-9]*")
    numbers = sorted(int(path.name[5:]) for path in devices if path.name[5:].isdigit())
    return tuple(map(str, numbers)) or ("0",)


class CameraPage(PageFrame):
    """Shows the camera, or the notice and how to start it."""

    def __init__(self, parent: tk.Misc, window: PageOwner) -> None:
        super().__init__(parent)
        self._state, self._theme, self._camera = window.application.state, window.theme, window.application.camera
        #: The fields of the notice, and the switches by key.
        self.source = tk.StringVar(self, self._camera.source or list_cameras()[0])
        self.mirror = tk.BooleanVar(self, self._camera.mirror)
        self.switches: dict[str, tk.BooleanVar] = {}
        self.source_field: ttk.Combobox | None = None
        #: None while the camera is off.
        self.panel: LivePanel | None = None
        self._content: tk.Widget | None = None
        self._state.events.subscribe(self._show, "camera")
        self._show()

    def press(self, key: str) -> None:
        """Pass a key to the live panel, where there is one."""
        if self.panel is not None:
            self.panel.press(key)

    def start(self) -> None:
        self._camera.start(self.source.get().strip() or "0", self.mirror.get())

    def _show(self) -> None:
        if self._content is not None:
            self._content.destroy()
        self.panel = self.source_field = None
        self._content = self._build_notice() if self._camera.reader is None else self._build_live()
        self.show_content(self._content)

    def _build_notice(self) -> tk.Widget:
        theme, gap = self._theme, self._theme.px(16)
        frame = ScrollFrame(self, theme)
        card = ttk.Frame(frame.inner, style="Card.TFrame", padding=2 * gap)
        frame.bind("<Configure>", lambda event: card.pack_configure(padx=max((event.width - theme.px(600)) // 2, gap)))
        card.pack(pady=3 * gap, fill="x")
        ttk.Label(card, image=theme.icon("camera", theme.colors.muted, 48), style="Card.TLabel").pack(anchor="w")
        ttk.Label(card, text="Before the camera opens", style="Card.Title.TLabel").pack(anchor="w", pady=theme.px(8))
        for sentence in CAMERA_NOTICE_SENTENCES:
            WrappedLabel(card, f"•  {sentence}", "Card.TLabel").pack(fill="x", pady=theme.px(3))
        self._build_start(card).pack(anchor="w", fill="x", pady=(gap, 0))
        if self._camera.error:
            Notice(card, theme, str(self._camera.error)).pack(fill="x", pady=(gap, 0))
        return frame

    def _build_start(self, card: tk.Misc) -> ttk.Frame:
        theme, opening = self._theme, self._camera.stage == "opening"
        frame = ttk.Frame(card, style="CardInner.TFrame")
        row = FlowLayout(frame, theme, "CardInner.TFrame")
        row.pack(fill="x")
        row.add(ttk.Label(row, text="Camera", style="Card.TLabel", padding=theme.px(5)))
        field = ttk.Combobox(row, textvariable=self.source, values=list_cameras(), width=22, font=theme.font(14))
        field.configure(style="Card.TCombobox")
        row.add(field, 16)
        field.bind("<Return>", lambda _event: self.start())
        Tooltip(field, theme, "A camera's number (0 is the first), its address, or the path of a video")
        self.source_field = field
        mirror = ttk.Checkbutton(row, text="mirror image", variable=self.mirror, style="Card.TCheckbutton")
        row.add(mirror)
        text = "Opening the camera …" if opening else "Start the camera"
        start = create_button(frame, theme, text, self.start, style="Card.Primary.TButton", icon="camera")
        start.pack(anchor="w", pady=(theme.px(14), 0))
        if opening:
            start.state(["disabled"])
        return frame

    def _build_live(self) -> tk.Widget:
        from mien.apps.desktop.live_panel import LivePanel

        theme, camera, gap = self._theme, self._camera, self._theme.px(16)
        assert camera.reader is not None, "the camera is on"
        assert camera.engine is not None, "the camera is on"
        scroll_frame = ScrollFrame(self, theme, fill=True)
        frame = scroll_frame.inner
        frame.configure(padding=gap)
        frame.columnconfigure(0, weight=1)
        frame.rowconfigure(1, weight=1, minsize=theme.px(320))
        bar = FlowLayout(frame, theme)
        bar.grid(row=0, column=0, sticky="ew", pady=(0, theme.px(12)))
        self._build_buttons(bar)
        self.panel = LivePanel(
            frame,
            camera.reader,
            camera.engine,
            quit=camera.handle_end,
            theme=theme,
            on_switch=self._show_switches,
            on_snapshot=camera.open_snapshot,
            on_error=self._state.show_error,
        )
        self.panel.grid(row=1, column=0, sticky="nsew")
        return scroll_frame

    def _build_buttons(self, bar: FlowLayout) -> None:
        theme = self._theme
        bar.add(create_button(bar, theme, "Stop", self._camera.stop, icon="stop", style="Primary.TButton"))
        self._pause = create_button(bar, theme, "Pause", lambda: self.press("space"), icon="pause")
        bar.add(self._pause)
        bar.add(create_button(bar, theme, "Snapshot", lambda: self.press("s"), icon="snapshot"))
        self.switches = {key: tk.BooleanVar(self, key == "t") for key in SWITCHES}
        for key, (name, tooltip) in SWITCHES.items():
            switch = ttk.Checkbutton(bar, text=name, variable=self.switches[key], style="Choice.TCheckbutton")
            switch.configure(command=lambda key=key: self.press(key))  # type: ignore[misc]
            bar.add(switch)
            Tooltip(switch, theme, f"{tooltip} ({key.upper()})")

    def _show_switches(self, on: dict[str, bool]) -> None:
        for key, variable in self.switches.items():
            variable.set(on.get(key, False))
        paused = on.get("space", False)
        icon = self._theme.icon("play" if paused else "pause")
        self._pause.configure(text=" Continue" if paused else " Pause", image=icon)
