"""What was foreseen, in Gradio's language: a sentence on the page, and the same sentence for programs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr

from mien.errors import MienError

_TITLE = "That did not work"


@contextmanager
def convert_errors() -> Iterator[None]:
    """Inside, a MienError becomes Gradio's own kind of error, which stays long enough to be read."""
    try:
        yield
    except MienError as error:
        raise make_user_error(str(error)) from error


def make_bug_error(error: BaseException) -> gr.Error:
    """What nobody foresaw: its trace goes to whoever serves the page, and visitors hear no more than its name."""
    return gr.Error(f"This is a bug in mien: {type(error).__name__}.", duration=20, title=_TITLE)


def make_user_error(sentence: str) -> gr.Error:
    # The page takes it for HTML, programs for text: names out of files are in it, and no tag may come of one.
    plain = sentence.replace("<", "‹").replace(">", "›")
    return gr.Error(plain, duration=20, title=_TITLE, print_exception=False)
