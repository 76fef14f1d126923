"""The settings of the whole page, from environment variables; ``mien streamlit`` sets them from its options."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MODEL, DETECTOR, RUNS = "MIEN_MODEL", "MIEN_DETECTOR", "MIEN_RUNS"


@dataclass(frozen=True)
class PageSettings:
    """``model`` is a name or a path; ``runs`` is the folder of training runs, None for the default one."""

    model: str = "base"
    detector: str = "auto"
    runs: Path | None = None


def load_page_settings(environ: Mapping[str, str] | None = None) -> PageSettings:
    """The settings in the variables; an empty variable counts as not set."""
    variables = os.environ if environ is None else environ
    defaults, runs = PageSettings(), variables.get(RUNS)
    return PageSettings(
        variables.get(MODEL) or defaults.model,
        variables.get(DETECTOR) or defaults.detector,
        Path(runs) if runs else None,
    )
