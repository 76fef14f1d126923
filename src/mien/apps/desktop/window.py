"""The main window: its pages, the navigation and status bars. All views can be rebuilt while the application runs."""

from __future__ import annotations

import gc
import tkinter as tk
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from time import monotonic
from tkinter import filedialog, ttk
from types import TracebackType
from typing import Any

from mien.apps.desktop.application import PAGES, DesktopApplication
from mien.apps.desktop.commands import PAGE_NAMES, CommandMenus
from mien.apps.desktop.dialogs import Dialogs, accept_drops, read_clipboard
from mien.apps.desktop.explanation_state import LiveExplanation
from mien.apps.desktop.images import ImageAnnotator
from mien.apps.desktop.settings import modifier_key, system_prefers_dark
from mien.apps.desktop.state import Status, short_model_name
from mien.apps.desktop.style import Theme, apply_theme
from mien.apps.desktop.widgets import IdleCallback, PageFrame, ScrollFrame, Tooltip, create_button, set_visible
from mien.apps.desktop.worker import Steps, describe_bug
from mien.errors import MienError

#: Milliseconds until the worker's results are polled again, while there are some and while there are none.
_BUSY_INTERVAL, _IDLE_INTERVAL = 8, 25

#: The least seconds between two queries of the system's preference for light or dark.
_APPEARANCE_INTERVAL = 20.0

#: The most unexpected errors that are stored: each refers to its stack, and the same one may occur again and again.
_MAX_BUGS = 20

#: The window's first size, and its least.
_SIZE, _MIN_SIZE = (1180, 780), (720, 520)


class MainWindow:
    """The window of an application. ``bugs`` are unexpected errors: displayed, and raised when the window closes."""

    def __init__(self, root: tk.Tk, application: DesktopApplication, file_dialogs: Any = filedialog) -> None:
        """``file_dialogs`` is Tk's module, or a fake with its functions."""
        self.root, self.application = root, application
        self.bugs: list[BaseException] = []
        self.annotator = ImageAnnotator(application.state, application.images)
        self.dialogs, self.on_mac = Dialogs(self, file_dialogs), modifier_key() == "Command"
        self.menus = CommandMenus(self)
        self.accepts_drops = accept_drops(root, application.open)
        self._garbage = _GarbageCollection()
        self.pages: dict[str, Any] = {}
        self._body: ttk.Frame | None = None
        self.live_explanation: LiveExplanation | None = None
        self._appearance_time = -_APPEARANCE_INTERVAL
        root.title("mien")
        root.report_callback_exception = self.report
        root.protocol("WM_DELETE_WINDOW", self.quit)
        self.theme = Theme(root, application.state.settings)
        width, height = (self.theme.px(length) for length in _SIZE)
        width, height = min(width, root.winfo_screenwidth()), min(height, root.winfo_screenheight() - 60)
        root.geometry(f"{width}x{height}")
        root.minsize(*_MIN_SIZE)
        self.rebuild()
        self._job = root.after(_BUSY_INTERVAL, self._poll)

    def start(self, paths: Sequence[Path] = ()) -> None:
        """Once the window is visible: load the model, open files, and query the system's appearance."""
        self.application.load_model()
        if paths:
            self.application.open(paths)
        self.application.state.refresh_models()
        self._query_appearance()
        self.root.bind("<FocusIn>", self._query_appearance)

    def quit(self) -> None:
        self.root.quit()

    def close(self) -> None:
        """Stop everything. The owner destroys the root window."""
        with suppress(tk.TclError):
            self.root.after_cancel(self._job)
        if self.live_explanation is not None:
            self.live_explanation.close()
            self.live_explanation = None
        self.application.close()
        self._garbage.close()

    def report(self, _kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        """Show an exception of a callback in the status line. Exceptions that end programs, such as Ctrl-C, quit."""
        if isinstance(error, MienError):
            self.application.state.show_error(error)
            return
        self.bugs = [*self.bugs, error][:_MAX_BUGS]
        if not isinstance(error, Exception):
            self.root.quit()
            return
        with suppress(tk.TclError):
            self.application.state.show_error(describe_bug(error))

    # Actions of commands and pages

    def describe_input(self, files: str) -> str:
        """How to open ``files``, such as "a video", depending on whether files can be dropped."""
        paste = "⌘V" if self.on_mac else "Ctrl+V"
        if self.accepts_drops:
            return f"Drop {files} here, or paste with {paste}."
        return f"Choose {files}, or paste with {paste}."

    def copy(self, kind: str) -> None:
        """Copy the results of all images to the clipboard as ``json`` or ``csv``."""
        application = self.application
        if not application.images.outcomes():
            application.state.show_message("Open an image first: there are no results to copy yet.")
            return
        self.root.clipboard_clear()
        self.root.clipboard_append(application.format_results(kind))
        application.state.show_message("Copied the results of all images.")

    def paste(self) -> None:
        match read_clipboard(self.root):
            case bytes() as data:
                self.application.show_page("photo")
                self.application.images.add(data, "pasted image")
            case list() as paths:
                self.application.open(paths)
            case None:
                self.application.state.show_message("The clipboard contains no image and no file.")

    def press(self, key: str) -> None:
        """Pass a key to the page that uses it."""
        if self.application.page == "camera" and "camera" in self.pages:
            self.pages["camera"].press(key)
        elif self.application.page == "video" and key == "space":
            self.pages["video"].toggle_playback()

    def step(self, step: int) -> None:
        """The next or previous image; on other pages, scroll by a page."""
        images = self.application.images
        if self.application.page == "photo":
            images.select(images.index + step)
        elif frame := next(_visible_scroll_frames(self.pages[self.application.page]), None):
            frame.scroll_pages(step)

    def toggle_camera(self) -> None:
        """Stop the camera, or start it from its page, which shows the notice first."""
        if self.application.camera.stage == "on":
            self.application.camera.stop()
        elif self.application.page == "camera":
            self.pages["camera"].start()
        else:
            self.application.show_page("camera")

    def change_text_size(self, steps: int) -> None:
        state = self.application.state
        state.change_settings(text=state.settings.change_text_size(steps).text)

    def toggle_full_screen(self) -> None:
        self.root.attributes("-fullscreen", not self.root.attributes("-fullscreen"))

    def explain_camera(self, live: bool) -> None:
        """Explain the face before the camera, or that of the image."""
        explanation = self.application.explanation
        explanation.live = live
        self._update_live_explanation()
        self.application.state.events.publish("explanation")
        if not live:
            explanation.update()

    # Building

    def rebuild(self) -> None:
        """Create all views anew, in the theme of the settings. The application does not change."""
        application = self.application
        if self._body is not None:
            self._body.destroy()
        self.pages = {}
        application.state.events.clear()
        application.subscribe()
        self.annotator.clear()
        settings = application.state.settings
        self._appearance = settings.shows_dark, settings.text
        self.theme = Theme(self.root, settings, self.theme)
        self._style = apply_theme(self.theme)
        self.root.configure(background=self.theme.colors.background)
        self._body = body = ttk.Frame(self.root)
        body.pack(fill="both", expand=True)
        body.columnconfigure(1, weight=1)
        body.rowconfigure(0, weight=1)
        NavigationBar(body, self).grid(row=0, column=0, sticky="ns")
        self._page_frame = PageFrame(body)
        self._page_frame.grid(row=0, column=1, sticky="nsew")
        StatusBar(body, self).grid(row=1, column=0, columnspan=2, sticky="ew")
        self.menus.attach()
        events = application.state.events
        events.subscribe(self._show_page, "page")
        events.subscribe(IdleCallback(self._body, self._apply_settings), "settings")
        events.subscribe(self._update_live_explanation, "camera")
        events.subscribe(self._handle_loaded_model, "card")
        self._show_page()

    def _handle_loaded_model(self) -> None:
        # The heavy modules are imported now, among them the one that draws the window's icon.
        self.root.iconphoto(True, self.theme.face_icon("happy", 64))  # type: ignore[arg-type]
        self._garbage.freeze()

    def _apply_settings(self) -> None:
        settings = self.application.state.settings
        if self._appearance != (settings.shows_dark, settings.text):
            self.rebuild()

    def _show_page(self) -> None:
        """Show the current page, which is created when it is first shown."""
        current = self.application.page
        if current not in self.pages:
            module = import_module(f"mien.apps.desktop.{current}")
            self.pages[current] = getattr(module, f"{current.title()}Page")(self._page_frame, self)
        self._page_frame.show_content(self.pages[current])
        self._update_live_explanation()

    def _update_live_explanation(self) -> None:
        """Explain the face before the camera while its page is shown, and only then."""
        application = self.application
        reader, engine = application.camera.reader, application.camera.engine
        if reader is None:
            application.explanation.live = False
        needed = application.page == "explain" and application.explanation.live
        if needed and self.live_explanation is None and reader is not None and engine is not None:
            self.live_explanation = LiveExplanation(engine, reader, application.explanation)
        elif not needed and self.live_explanation is not None:
            self.live_explanation.close()
            self.live_explanation = None

    # Polling

    def _poll(self) -> None:
        busy = True
        try:
            busy = self._poll_once()
        finally:
            # Also after an error: without polling the window would not receive results any more.
            self._job = self.root.after(_BUSY_INTERVAL if busy else _IDLE_INTERVAL, self._poll)

    def _poll_once(self) -> bool:
        """Receive results. Returns whether more are expected soon."""
        has_results = self.application.poll()
        if self.live_explanation is not None:
            reader = self.application.camera.reader
            if reader is not None and reader.ended:
                self.application.camera.handle_end()
            elif (explanation := self.live_explanation.newest()) is not None and "explain" in self.pages:
                self.pages["explain"].show(explanation)
        self._garbage.collect()
        return has_results or self.live_explanation is not None

    def _query_appearance(self, _event: object = None) -> None:
        """Ask the system for light or dark: the user may have changed it while another window was active."""
        if monotonic() - self._appearance_time > _APPEARANCE_INTERVAL:
            self._appearance_time = monotonic()
            state = self.application.state

            def apply(dark: bool) -> None:
                if dark != state.settings.dark:
                    state.change_settings(dark=dark)

            state.submit(_query_dark(), apply)


def _visible_scroll_frames(widget: tk.Misc) -> Iterator[ScrollFrame]:
    """The visible scroll frames of a page, outer ones first."""
    if isinstance(widget, ScrollFrame) and widget.winfo_viewable():
        yield widget
    for child in widget.winfo_children():
        yield from _visible_scroll_frames(child)


def _query_dark() -> Steps:
    dark = system_prefers_dark()
    if dark is not None:
        yield dark


class _GarbageCollection:
    """Runs Python's garbage collector in Tk's thread only, often and briefly, from its creation until ``close``.

    A widget that is freed in another thread ends the process. Widgets refer to each other in circles, so only the
    collector frees them, and it runs in whatever thread allocates memory. To be used inside
    :func:`mien.apps.desktop.main_loop.widget_cleanup`, which turns the collector on again.
    """

    #: Seconds between two collections of young objects, and of all objects.
    _YOUNG_INTERVAL, _FULL_INTERVAL = 0.5, 20.0

    def __init__(self) -> None:
        gc.disable()
        self._young = self._full = monotonic()

    def collect(self) -> None:
        """Collect if it is time to; to be called often."""
        now = monotonic()
        if now - self._full > self._FULL_INTERVAL:
            gc.collect()
            self._full = self._young = now
        elif now - self._young > self._YOUNG_INTERVAL:
            gc.collect(1)
            self._young = now

    def freeze(self) -> None:
        """Exclude all objects of now from later collections, which makes these short."""
        gc.collect()
        gc.freeze()
        self._full = self._young = monotonic()

    def close(self) -> None:
        gc.unfreeze()


class NavigationBar(ttk.Frame):
    """The buttons of the pages; the camera's is red while the camera is on."""

    def __init__(self, parent: tk.Misc, window: MainWindow) -> None:
        theme = window.theme
        super().__init__(parent, style="Panel.TFrame", padding=theme.px(8))
        self._application, self._theme = window.application, theme
        self._page = tk.StringVar(self, window.application.page)
        self._buttons: dict[str, ttk.Radiobutton] = {}
        for place, page in enumerate(PAGES, 1):
            button = ttk.Radiobutton(self, text=PAGE_NAMES[page], value=page, variable=self._page, takefocus=True)
            button.configure(
                style="Page.TRadiobutton",
                command=partial(window.application.show_page, page),
            )
            button.pack(fill="x", pady=(0, theme.px(4)))
            Tooltip(button, theme, f"{PAGE_NAMES[page]} ({'⌘' if window.on_mac else 'Ctrl+'}{place})")
            self._buttons[page] = button
        events = window.application.state.events
        events.subscribe(self._show, "page", "camera")
        self._show()

    def _show(self) -> None:
        colors, current = self._theme.colors, self._application.page
        self._page.set(current)
        for page, button in self._buttons.items():
            color, text = colors.accent if page == current else colors.muted, PAGE_NAMES[page]
            if page == "camera" and self._application.camera.stage == "on":
                color, text = colors.error, "Camera on"
            button.configure(image=self._theme.icon(page, color, 26), text=text)


class StatusBar(ttk.Frame):
    """Messages, progress and the button Cancel; the fields for the model and the face detector."""

    def __init__(self, parent: tk.Misc, window: MainWindow) -> None:
        theme, application = window.theme, window.application
        super().__init__(parent, style="Panel.TFrame", padding=(theme.px(14), theme.px(6)))
        self._theme, self._application, self._state = theme, application, application.state
        self.columnconfigure(0, weight=1)
        self._text = ttk.Label(self, style="Panel.Muted.TLabel", justify="left")
        self._text.grid(row=0, column=0, sticky="ew")
        self._text.bind("<Configure>", lambda event: self._text.configure(wraplength=event.width))
        self._bar = ttk.Progressbar(
            self, style="Panel.Horizontal.TProgressbar", length=theme.px(130), mode="determinate", maximum=1.0
        )
        self._bar.grid(row=0, column=1, padx=theme.px(10))
        self._cancel = create_button(
            self, theme, "Cancel", application.cancel, style="Panel.Quiet.TButton", tooltip="Esc"
        )
        self._cancel.grid(row=0, column=2)
        self._fields: dict[str, tuple[ttk.Combobox, tk.StringVar]] = {}
        self._expiring, self._job = Status(), ""
        self.bind("<Destroy>", self._destroy)
        for column, (part, label) in enumerate((("model", "Model"), ("detector", "Detector")), 3):
            self._create_field(part, label).grid(row=0, column=column, padx=(theme.px(14), 0))
        self._state.events.subscribe(
            IdleCallback(self, self._show), "status", "busy", "images", "progress", "video", "card", "models", "camera"
        )
        self._show()

    def _create_field(self, part: str, label: str) -> ttk.Frame:
        theme = self._theme
        frame, value = ttk.Frame(self, style="Panel.TFrame"), tk.StringVar(self)
        ttk.Label(frame, text=label, style="Panel.Muted.TLabel").pack(side="left", padx=(0, theme.px(6)))
        field = ttk.Combobox(frame, textvariable=value, state="readonly", width=8, font=theme.font(13))
        field.configure(style="Panel.TCombobox")
        field.pack(side="left")
        choose = self._state.change_selection
        field.bind("<<ComboboxSelected>>", lambda _: choose(**{part: self._state.names(part)[field.current()]}))
        self._fields[part] = field, value
        return frame

    def _show(self) -> None:
        status, state = self._state.status, self._state
        self._expire(status)
        style = "Panel.Error.TLabel" if status.error else "Panel.Muted.TLabel"
        self._text.configure(text=status.text or self._describe_work(), style=style)
        self._bar.configure(value=self._progress())
        for widget in (self._bar, self._cancel):
            set_visible(widget, state.busy)
        for part, (field, value) in self._fields.items():
            field.configure(values=[short_model_name(name) for name in state.names(part)])
            value.set(short_model_name(getattr(state.selection, part)))

    def _progress(self) -> float:
        """The completed part of the work, 0 to 1."""
        video, images = self._application.video, self._application.images
        if video.stage == "analysing" and video.duration:
            return min(video.progress.end / video.duration, 1.0)
        return images.completed / len(images.images) if images.images else 0.0

    def _expire(self, status: Status) -> None:
        """Remove a message after the time needed to read it. An error stays until the next message."""
        if status is self._expiring or not status.text or status.error:
            return
        self._expiring = status
        if self._job:
            self.after_cancel(self._job)
        self._job = self.after(round(1000 * (3 + len(status.text) / 15)), self._remove, status)

    def _remove(self, status: Status) -> None:
        if self._state.status is status:
            self._state.show_message("")

    def _destroy(self, event: tk.Event[tk.Misc]) -> None:
        if event.widget is self and self._job:
            self.after_cancel(self._job)

    def _describe_work(self) -> str:
        """The text while there is no message."""
        images = self._application.images
        if self._state.card is None:
            return "Loading the model …"
        count, completed = len(images.images), images.completed
        if completed < count and self._state.busy:
            return f"{completed:,} of {count:,} images analysed"
        if self._application.video.stage == "analysing":
            return "Analysing the video …"
        return "Ready. Nothing leaves this machine."
