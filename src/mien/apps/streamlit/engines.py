"""The engines: one for each model and detector that somebody chose, loaded once and shared by all visitors."""

from __future__ import annotations

import streamlit as st

from mien.apps.streamlit.settings import load_page_settings
from mien.engine import Engine
from mien.faces.detectors import detector_names
from mien.models import available_models


def list_models() -> tuple[str, ...]:
    """The models to choose from, the usual one first. Visitors choose by name: nobody's address names a path."""
    return tuple(dict.fromkeys([load_page_settings().model, *available_models()]))


def list_detectors() -> tuple[str, ...]:
    return tuple(dict.fromkeys([load_page_settings().detector, "auto", *detector_names()]))


@st.cache_resource(show_spinner="The model is being loaded …", max_entries=8)
def load_engine(model: str, detector: str) -> Engine:
    return Engine.load(model, detector)


def current_engine() -> Engine:
    """The engine of this visitor's choice."""
    return load_engine(st.session_state["model"], st.session_state["detector"])
