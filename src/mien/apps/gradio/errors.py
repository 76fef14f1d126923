"""MienError as Gradio's own error: a message on the page, and the same message for programs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr

from mien.errors import MienError

_TITLE = "That did not work"


@contextmanager
def convert_errors() -> Iterator[None]:
    """Raise a ``gr.Error`` for a MienError inside. It is shown long enough to be read."""
    try:
        yield
    except MienError as error:
        raise make_user_error(str(error)) from error


def make_user_error(message: str) -> gr.Error:
    # The page renders the message as HTML, and it contains file names: no tag may come of one.
    plain = message.replace("<", "‹").replace(">", "›")
    return gr.Error(plain, duration=20, title=_TITLE, print_exception=False)


def make_bug_error(error: BaseException) -> gr.Error:
    """For an unexpected exception: its traceback is in the server's log, and visitors see its type only."""
    return gr.Error(f"This is a bug in mien: {type(error).__name__}.", duration=20, title=_TITLE)
