"""The window of ``mien live``: a :class:`Pane`, its keys, and a way out for every ending."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from mien.errors import MienError, MissingExtra

if TYPE_CHECKING:
    import tkinter as tk

    from mien.apps.session.live_camera import CameraWorker
    from mien.apps.session.live_explanation import ActivationSource

#: What Tk calls with whatever a callback raised.
Report: TypeAlias = Callable[[type[BaseException], BaseException, TracebackType | None], None]

_WITHOUT = "mien live --no-window reads without one"


class Shown(NamedTuple):
    """How it went: the newest ``delays`` from frame to picture in seconds, and ``looks`` inside a second at the end."""

    delays: list[float]
    looks: float


def open_window(instead: str = _WITHOUT) -> tk.Tk:
    """An empty window. Raises where there is no screen, or where Python came without Tk; ``instead`` works there."""
    try:
        import tkinter as tk
    except ImportError as error:
        raise MissingExtra(
            "The window needs Tk, which this Python was built without",
            "Tk comes with Python, or as a package of the system (python3-tk)",
            f"Install it, or go without: {instead}",
        ) from error
    try:
        root = tk.Tk(className="mien")
    except tk.TclError as error:
        raise MienError(
            f"There is no screen to open a window on: {error}", "A desktop was expected", instead
        ) from error
    root.withdraw()
    return root


def show(root: tk.Tk, watching: CameraWorker, looker: ActivationSource, *, inside: bool = False) -> Shown:
    """Show the camera until the window is closed or the camera is over."""
    from mien.apps.desktop.live_style import DARK

    root.title(f"mien live · {watching.camera.about.name}")
    root.configure(background=DARK.ground)
    root.minsize(640, 420)
    with collected_here():
        return _shown(root, watching, looker, inside)


@contextmanager
def collected_here() -> Iterator[None]:
    """What is left of a window's widgets inside the block is freed at its end, and in this thread.

    Widgets and their parts hold each other, so only the collector frees them; and Tk ends the process when that
    happens in another thread than its own. So it rests from the loop's end until it has run here.
    """
    was_on = gc.isenabled()
    try:
        yield
    finally:
        gc.collect()
        if was_on:
            gc.enable()


def _shown(root: tk.Tk, watching: CameraWorker, looker: ActivationSource, inside: bool) -> Shown:
    from mien.apps.desktop.live_panel import Pane

    pane = Pane(root, watching, looker, quit=root.quit, inside=inside)
    pane.pack(fill="both", expand=True)
    root.bind("<Key>", lambda event: pane.press(_named(event.keysym)))
    root.protocol("WM_DELETE_WINDOW", root.quit)
    root.deiconify()
    run(root)
    return Shown(pane.delays, pane.looks)


def run(root: tk.Tk, report: Report | None = None) -> None:
    """Tk's loop until somebody quits. What is raised inside, a signal too, ends it: Tk would print it and go on.

    ``report`` is told of it instead, where a window has its own way. To be called inside :func:`collected_here`.
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
        with suppress(tk.TclError):  # closed already by whoever owns the screen
            root.destroy()
    if raised:
        raise raised.pop()


def _named(key: str) -> str:
    return "q" if key == "Escape" else key.lower()
