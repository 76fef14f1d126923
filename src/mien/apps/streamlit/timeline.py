"""A film's events over time, as a chart."""

from __future__ import annotations

from typing import Any

import streamlit as st

from mien.labels import colour
from mien.words import looks

#: In pixels: a person's row, and the axis and the legend, which Streamlit counts as part of the height.
_ROW, _AROUND = 36, 124


def timeline(events: list[dict[str, Any]], end: float) -> None:
    """A row for each person, a bar for each event in its expression's colour."""
    st.vega_lite_chart(spec=chart(events, end))


def chart(events: list[dict[str, Any]], end: float) -> dict[str, Any]:
    """The chart in Vega-Lite's words."""
    labels = tuple(dict.fromkeys(each["label"] for each in events))
    rows = [{**each, "who": f"Person {each['person']}", "looked": looks(each["label"])} for each in events]
    people = list(dict.fromkeys(each["who"] for each in sorted(rows, key=lambda each: each["person"])))
    hues = {"domain": list(labels), "range": [colour(each, labels) for each in labels]}
    return {
        "data": {"values": rows},
        "mark": {"type": "bar", "height": {"band": 0.6}, "cornerRadius": 3},
        "height": _AROUND + _ROW * len(people),
        "encoding": {
            "x": {**_field("start"), "title": "seconds", "scale": {"domain": [0, max(end, 0.1)]}},
            "x2": {"field": "end"},
            "y": {**_field("who"), "title": None, "sort": people},
            "color": {**_field("label"), "title": None, "scale": hues, "legend": {"orient": "top"}},
            "tooltip": [
                {**_field("who"), "title": "Who"},
                {**_field("looked"), "title": "What"},
                {**_field("start"), "title": "From", "format": ".1f"},
                {**_field("end"), "title": "To", "format": ".1f"},
                {**_field("peak"), "title": "Peak", "format": ".0%"},
            ],
        },
    }


def _field(name: str) -> dict[str, Any]:
    return {"field": name, "type": "quantitative" if name in ("start", "end", "peak") else "nominal"}
