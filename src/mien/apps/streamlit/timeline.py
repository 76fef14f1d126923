"""A film's events over time, as a chart."""

from __future__ import annotations

from typing import Any

import streamlit as st

from mien.labels import colour
from mien.words import looks


def timeline(events: list[dict[str, Any]], end: float) -> None:
    """A row for each person, a bar for each event in its expression's colour."""
    import altair as alt

    rows = [{**each, "who": f"Person {each['person']}", "looked": looks(each["label"])} for each in events]
    labels = tuple(dict.fromkeys(each["label"] for each in events))
    people = len({each["person"] for each in events})
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_bar(cornerRadius=3, height=18)
        .encode(
            x=alt.X("start:Q", title="seconds", scale=alt.Scale(domain=[0, max(end, 0.1)])),
            x2="end:Q",
            y=alt.Y("who:N", title=None, sort=None),
            color=alt.Color(
                "label:N",
                title=None,
                scale=alt.Scale(domain=list(labels), range=[colour(each, labels) for each in labels]),
                legend=alt.Legend(orient="bottom"),
            ),
            tooltip=[
                alt.Tooltip("who:N", title="Who"),
                alt.Tooltip("looked:N", title="What"),
                alt.Tooltip("start:Q", title="From", format=".1f"),
                alt.Tooltip("end:Q", title="To", format=".1f"),
                alt.Tooltip("peak:Q", title="Peak", format=".0%"),
            ],
        )
        .properties(height=60 + 34 * people, usermeta={"embedOptions": {"actions": False}})
    )
    st.altair_chart(chart)
