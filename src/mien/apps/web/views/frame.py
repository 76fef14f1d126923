"""What every page has: its way to the others, its style and scripts, and the words that scripts need."""

from __future__ import annotations

from functools import cache
from typing import Any

from markupsafe import Markup

from mien import words
from mien._version import __version__
from mien.apps.samples import SAMPLES
from mien.apps.web.service import service
from mien.apps.web.views.assets import version
from mien.explain.pictures import tones
from mien.html import icon_svg
from mien.labels import VOTES, adjective, colour

#: The pages in the order of the menu: where, what it is called, what it is for.
PAGES = (
    ("/", "Photo", "Read the faces in photos"),
    ("/live", "Live", "Read a camera"),
    ("/video", "Video", "Read a film"),
    ("/inside", "Inside", "See inside the network"),
    ("/models", "Models", "The models and how good they are"),
    ("/about", "About", "How it works, what it cannot do, what it must not be used for"),
)


def shared() -> dict[str, Any]:
    own = service()
    asset = f"/assets/{version()}"
    return {
        "pages": PAGES,
        "asset": asset,
        "version": __version__,
        "sprite": _sprite(),
        "sample_photos": SAMPLES,
        "words": words,
        "told": {
            "asset": asset,
            "model": own.engines.default,
            "models": list(own.engines.names),
            "looks": {label: adjective(label) for label in VOTES},
            "colours": {label: colour(label) for label in VOTES},
            "scales": {name: list(tones.stops(name)) for name in ("sea", "ember", "tide")},
            "maxBytes": own.settings.max_bytes,
            "maxFilmBytes": own.settings.max_film_bytes,
            "noFace": f"{words.NO_FACE} {words.NO_FACE_HELP}",
            "locked": bool(own.settings.keys),
        },
    }


@cache
def _sprite() -> Markup:
    """The small faces, once on a page, to be used by name."""
    faces = (
        icon_svg(label).replace("<svg class='icon'", f"<symbol id='face-{label}'").replace("</svg>", "</symbol>")
        for label in VOTES
    )
    told = "".join(faces).replace(" aria-hidden='true' focusable='false'", "")
    return Markup(f"<svg class='sprite' aria-hidden='true' focusable='false'>{told}</svg>")
