"""The page that opens the network."""

from __future__ import annotations

from flask import Blueprint, render_template

from mien.explain.question import METHODS

routes = Blueprint("page_inside", __name__)

#: What the methods are called on the page, and what each does.
_TOLD = {
    "cam": ("Class map", "exact, from the last layer; at once"),
    "occlusion": ("Covering", "what is lost when a part is covered; about a second"),
    "rise": ("Random masks", "many random covers, averaged; a second or two"),
}


@routes.get("/inside")
def page() -> str:
    return render_template("inside.html", methods=[(name, *_TOLD[name]) for name in METHODS])
