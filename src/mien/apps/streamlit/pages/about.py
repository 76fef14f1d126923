"""How it works, what it cannot do, what it must not be used for; and what the models say of themselves."""

from __future__ import annotations

import streamlit as st

from mien import text
from mien.apps.session import model_cards
from mien.apps.session.samples import CREDIT
from mien.apps.streamlit import engines
from mien.apps.streamlit.results import escape_markdown
from mien.models import ModelCard, resolve_model


def page() -> str | None:
    st.title("About mien", anchor=False)
    st.markdown(
        "mien reads what facial expressions look like, says how sure it is, and lets you see inside the network that "
        "says so."
    )
    card = engines.current_engine().card
    _works(card)
    _limits(card)
    _models()
    st.caption(CREDIT)
    return None


def _works(card: ModelCard) -> None:
    votes = ", and says what ten people would answer" if card.vote_labels else ""
    gray = ", gray" if card.color == "gray" else ""
    st.header("How it works", anchor=False)
    st.markdown(
        "1. **Find.** A detector looks through the picture for faces, at every size.\n"
        f"2. **Cut.** Each face is cut out, levelled, and made {card.side} × {card.side} pixels{gray}: that is all the "
        "network sees.\n"
        f"3. **Read.** A network with {card.parameters:,} learned numbers gives each expression a share{votes}.\n"
        "4. **Doubt.** Blurred, dark, tiny or turned faces are marked, and so are faces on which nothing stands out."
    )


def _limits(card: ModelCard) -> None:
    st.header("What it cannot do", anchor=False)
    right = card.metrics.get("accuracy")
    known = [*text.LIMITATIONS]
    if isinstance(right, float):
        known.insert(
            1,
            f"It is wrong often: on test faces it names the right one of {len(card.labels)} expressions in "
            f"{100 * right:.0f} of 100.",
        )
    st.markdown("\n".join(f"- {each}" for each in known))
    st.header("What it must not be used for", anchor=False)
    st.warning(text.PROHIBITED_USES, icon=":material/gavel:")
    st.header("Privacy", anchor=False)
    st.markdown(
        "- Pictures are read in memory, and are gone with the page.\n"
        "- Films and tables lie in a private folder while they are read; what is made of them stays in memory until "
        "you choose another or close the page.\n"
        "- The page fetches nothing from anywhere else, and nobody is told that it is used.\n"
        "- Nobody is recognised: mien has no notion of who a face belongs to."
    )


def _models() -> None:
    st.header("The models", anchor=False)
    known = {_called(name): ModelCard.read(resolve_model(name)) for name in engines.list_models()}
    rows = [{"Measure": said, **dict(zip(known, cells, strict=True))} for said, cells in model_cards.compare_cards(known)]
    st.dataframe(rows, hide_index=True)
    for name, card in known.items():
        with st.expander(name, icon=":material/description:"):
            st.markdown("\n".join(f"- **{said}**: {escape_markdown(value)}" for said, value in model_cards.list_facts(card)))


def _called(name: str) -> str:
    return name if len(name) < 40 else f"…{name[-38:]}"
