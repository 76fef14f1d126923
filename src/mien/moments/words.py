"""Times and shares in words, as a report writes them."""

from __future__ import annotations

from mien import words


def percent(share: float) -> str:
    """As everywhere, and never torn apart at the end of a line."""
    return words.percent(share).replace(" ", "\u00a0")


def clock(seconds: float) -> str:
    """A time in a film: ``12.4 s``, ``1:02.4``, ``1:00:02``."""
    tenths = round(max(seconds, 0.0) * 10)
    if tenths < 600:
        return f"{tenths / 10:.1f} s"
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest // 10:02d}" if hours else f"{minutes}:{rest // 10:02d}.{rest % 10}"


def span(seconds: float) -> str:
    """A length of time: ``0.8 s``, ``12 s``, ``3 min 20 s``, ``1 h 2 min``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s" if seconds >= 0.095 else f"{seconds:.2f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
