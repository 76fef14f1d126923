"""The way in and the ways out: a screen, the window, its loop; and everything let go, however it ends."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mien.apps.desktop import settings, system_settings
from mien.apps.desktop.live_window import collected_here, open_window, run
from mien.apps.desktop.model_session import Choice, Load

_INSTEAD = "mien predict reads pictures without a window, and mien serve shows them in a browser"


def start(load: Load, paths: Sequence[Path] = (), choice: Choice | None = None) -> None:
    """Show the window until it is closed. Raises where there is no screen, or where Python came without Tk."""
    system_settings.sharpen()
    root = open_window(_INSTEAD)
    from mien.apps.desktop.application import Desk
    from mien.apps.desktop.window import Window

    with collected_here():
        window = Window(root, Desk(load, settings.load(), choice))
        try:
            root.deiconify()
            root.after(1, window.begin, paths)
            run(root, window.report)
        finally:
            window.close()
        bugs = window.bugs
        # Nothing of the window may outlive the block, in which it is collected.
        del root, window
        if bugs:
            raise bugs[0]
