"""How mien works, its limitations, prohibited uses, privacy, and the cards of the models."""

from __future__ import annotations

import streamlit as st

from mien import text
from mien.apps.session import model_cards
from mien.apps.session.samples import CREDIT
from mien.apps.streamlit.results import escape_markdown
from mien.apps.streamlit.session_state import current_engine, list_models
from mien.models import ModelCard, resolve_model

#: A longer name, such as that of a path, is shortened.
_MAX_NAME_LENGTH = 40


def draw_page() -> str | None:
    st.title("About mien", anchor=False)
    st.markdown(
        "mien reads what facial expressions look like, with the probability of each and how uncertain it is, and "
        "explains its predictions."
    )
    card = current_engine().card
    _show_how_it_works(card)
    _show_limitations(card)
    _show_models()
    st.caption(CREDIT)
    return None


def _show_how_it_works(card: ModelCard) -> None:
    votes = ", and predicts the votes of ten annotators" if card.vote_labels else ""
    gray = ", gray" if card.color == "gray" else ""
    st.header("How it works", anchor=False)
    st.markdown(
        "1. **Detect.** A detector finds faces of every size in the image.\n"
        f"2. **Crop.** Each face is cropped, rotated upright, and scaled to {card.side} × {card.side} pixels{gray}: "
        "this is the whole input of the network.\n"
        f"3. **Predict.** A network with {card.parameters:,} parameters computes the probability of each "
        f"expression{votes}.\n"
        "4. **Judge.** Blurred, dark, small or turned faces are marked, and so are uncertain predictions."
    )
    st.markdown(model_cards.describe_targets(card))


def _show_limitations(card: ModelCard) -> None:
    st.header("Limitations", anchor=False)
    st.markdown("\n".join(f"- {sentence}" for sentence in model_cards.list_limitations(card)))
    st.header("Prohibited uses", anchor=False)
    st.warning(text.PROHIBITED_USES, icon=":material/gavel:")
    st.header("Privacy", anchor=False)
    st.markdown(
        "- Images are read in memory, and are deleted with the page.\n"
        "- Videos and tables are in a private folder while they are read; their results stay in memory until you "
        "choose another one or close the page.\n"
        "- The page loads nothing from other servers, and sends no usage statistics.\n"
        "- Nobody is identified: mien has no data about who a face belongs to."
    )


def _show_models() -> None:
    st.header("Models", anchor=False)
    cards = {_shorten(name): ModelCard.read(resolve_model(name)) for name in list_models()}
    rows = model_cards.compare_cards(cards)
    st.dataframe([{"Metric": name, **dict(zip(cards, cells, strict=True))} for name, cells in rows], hide_index=True)
    for name, card in cards.items():
        with st.expander(name, icon=":material/description:"):
            facts = model_cards.list_facts(card)
            st.markdown("\n".join(f"- **{term}**: {escape_markdown(value)}" for term, value in facts))


def _shorten(name: str) -> str:
    return name if len(name) < _MAX_NAME_LENGTH else f"…{name[-_MAX_NAME_LENGTH + 2 :]}"
