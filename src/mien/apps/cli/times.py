"""Times on the command line, as people write them."""

from __future__ import annotations

import re
from dataclasses import dataclass

import click


class Time(click.ParamType):  # type: ignore[type-arg]  # generic only in newer versions of click
    """Seconds, or minutes and hours before colons: ``12.5``, ``1:02.5``, ``1:00:02``."""

    name = "TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float | int):
            return float(value)
        if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d+)?", str(value).strip()):
            self.fail(f"'{value}' is no time. Seconds or 1:02.5 were expected.", param, ctx)
        seconds = 0.0
        for part in str(value).strip().split(":"):
            seconds = 60 * seconds + float(part)
        return seconds


@dataclass(frozen=True)
class Resting:
    """When people are at rest: in their first ``seconds``, or mostly (None)."""

    seconds: float | None


class Rest(click.ParamType):  # type: ignore[type-arg]  # generic only in newer versions of click
    """``SECONDS|median``."""

    name = "SECONDS|median"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Resting:
        if isinstance(value, Resting):
            return value
        if value == "median":
            return Resting(None)
        seconds = Time().convert(value, param, ctx)
        if seconds <= 0:
            self.fail("A baseline needs some seconds, or 'median'.", param, ctx)
        return Resting(seconds)
