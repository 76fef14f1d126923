"""The values of one step of the walkthrough page, and the number formats of all steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mien.text import format_percent


@dataclass(frozen=True, slots=True)
class WalkthroughStep:
    """One step. All text is plain text; the template escapes it.

    ``kind`` selects the template ``walkthrough/<kind>.html``, which uses ``values``. ``key`` is the id of the step on
    the page, ``short`` its name in the navigation, ``term`` the name of the layer or operation, ``css`` extra classes.
    """

    kind: str
    key: str
    short: str
    term: str
    title: str
    lead: str
    facts: tuple[tuple[str, str], ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    css: str = ""


def format_count(number: int) -> str:
    """``1.2 million``, ``190 thousand``, ``42``."""
    if number >= 1_000_000:
        return f"{number / 1e6:.1f} million"
    return f"{number / 1e3:.0f} thousand" if number >= 10_000 else f"{number:,}"


def format_probability(part: float) -> str:
    """``64 %``; more than zero but less than half a percent is ``under 1 %``."""
    return "under 1 %" if 0 < part < 0.005 else format_percent(part, no_break=True)


def format_signed(value: float) -> str:
    """``+0.28`` or ``−0.12``."""
    return f"{'−' if value < 0 else '+'}{abs(value):.2f}"


def format_number(value: float) -> str:
    """``0.28`` or ``−0.12``."""
    return f"{'−' if value < 0 else ''}{abs(value):.2f}"
