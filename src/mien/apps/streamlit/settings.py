"""What is set for the whole page, by variables; ``mien streamlit`` sets them from its options."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: The variables, and the largest files that are taken, in megabytes; films and tables are bounded by Streamlit's own.
MODEL, DETECTOR, RUNS = "MIEN_MODEL", "MIEN_DETECTOR", "MIEN_RUNS"
PHOTO_MB, FILM_MB, TABLE_MB = 20, 200, 200

#: So many photos are read together, and so many seconds of a film.
PHOTOS, FILM_SECONDS = 32, 1800.0


@dataclass(frozen=True)
class PageSettings:
    """``model`` is a name or a path; ``runs`` is the folder of training runs, None for the usual one."""

    model: str = "base"
    detector: str = "auto"
    runs: Path | None = None


def load_page_settings(environ: Mapping[str, str] | None = None) -> PageSettings:
    """The settings as the variables have them; an empty one counts as not there."""
    known = os.environ if environ is None else environ
    usual = PageSettings()
    runs = known.get(RUNS)
    return PageSettings(
        known.get(MODEL) or usual.model, known.get(DETECTOR) or usual.detector, Path(runs) if runs else None
    )
