"""The windows of ``mien desktop`` and ``mien live``: opening one, Tk's main loop, and its cleanup for every ending.

Tk is imported when a window is opened: some installations of Python lack it.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from mien.apps.desktop.settings import enable_high_dpi, load_settings
from mien.apps.desktop.state import ModelSelection
from mien.errors import MienError, MissingExtra

if TYPE_CHECKING:
    import tkinter as tk

    from mien.apps.session.engines import EngineLoader
    from mien.apps.session.live_camera import CameraWorker
    from mien.apps.session.live_explanation import ActivationSource

#: What Tk calls with an exception of a callback.
_ReportError: TypeAlias = Callable[[type[BaseException], BaseException, TracebackType | None], None]

_LIVE_WITHOUT_WINDOW = "mien live --no-window reads without one"
_DESKTOP_WITHOUT_WINDOW = "mien predict reads images without a window, and mien serve shows them in a browser"


class LiveStatistics(NamedTuple):
    """The delays of the last frames in seconds, and the explanations a second at the end."""

    delays: list[float]
    explanation_rate: float


def run_application(load: EngineLoader, paths: Sequence[Path] = (), selection: ModelSelection | None = None) -> None:
    """Show the application until its window is closed. Raises where there is no screen or no Tk."""
    enable_high_dpi()
    root = open_root(_DESKTOP_WITHOUT_WINDOW)
    from mien.apps.desktop.application import DesktopApplication
    from mien.apps.desktop.window import MainWindow

    with widget_cleanup():
        window = MainWindow(root, DesktopApplication(load, load_settings(), selection))
        try:
            root.deiconify()
            root.after(1, window.start, paths)
            run_main_loop(root, window.report)
        finally:
            window.close()
        bugs = window.bugs
        # Nothing may refer to the window at the end of the block, where it is freed.
        del root, window
        if bugs:
            raise bugs[0]


def run_live_window(
    root: tk.Tk, reader: CameraWorker, engine: ActivationSource, *, explain: bool = False
) -> LiveStatistics:
    """Show the camera until the window is closed or the camera ends."""
    with widget_cleanup():
        return _run_live_window(root, reader, engine, explain)


def _run_live_window(root: tk.Tk, reader: CameraWorker, engine: ActivationSource, explain: bool) -> LiveStatistics:
    # In a function of its own, so that no variable refers to the widgets when they are freed.
    from mien.apps.desktop.live_panel import LivePanel

    root.title(f"mien live · {reader.camera.info.name}")
    root.minsize(640, 420)
    panel = LivePanel(root, reader, engine, quit=root.quit, explain=explain)
    panel.pack(fill="both", expand=True)
    root.bind("<Key>", lambda event: panel.press("q" if event.keysym == "Escape" else event.keysym.lower()))
    root.protocol("WM_DELETE_WINDOW", root.quit)
    root.deiconify()
    run_main_loop(root)
    return LiveStatistics(panel.delays, panel.explanation_rate)


def open_root(alternative: str = _LIVE_WITHOUT_WINDOW) -> tk.Tk:
    """An empty, hidden window. Raises where there is no screen or no Tk; ``alternative`` says what to do then."""
    try:
        import tkinter as tk
    except ImportError as error:
        raise MissingExtra(
            "The window needs Tk, and this Python was built without it",
            "Tk comes with Python, or as a package of the system (python3-tk)",
            f"Install it, or work without a window: {alternative}",
        ) from error
    try:
        root = tk.Tk(className="mien")
    except tk.TclError as error:
        raise MienError(
            f"There is no screen to open a window on: {error}", "A desktop was expected", alternative
        ) from error
    root.withdraw()
    return root


def run_main_loop(root: tk.Tk, report: _ReportError | None = None) -> None:
    """Run Tk until somebody quits, then destroy the window. To be called inside :func:`widget_cleanup`.

    An exception of a callback, also from a signal, ends the loop and is raised: Tk would print it and continue.
    ``report`` gets it in place of that.
    """
    raised: list[BaseException] = []

    def end(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        raised.append(error)
        root.quit()

    root.report_callback_exception = report or end
    try:
        root.mainloop()
    finally:
        import tkinter as tk

        gc.disable()
        del root.report_callback_exception
        with suppress(tk.TclError):  # destroyed already by the X server
            root.destroy()
    if raised:
        raise raised.pop()


@contextmanager
def widget_cleanup() -> Iterator[None]:
    """Free the widgets that were made inside the block at its end, in this thread.

    Widgets refer to each other in circles, so only the garbage collector frees them; and Tk ends the process when that
    happens in another thread than its own. So the collector is off from the end of the main loop until it ran here.
    """
    was_enabled = gc.isenabled()
    try:
        yield
    finally:
        gc.collect()
        if was_enabled:
            gc.enable()
