"""The file for ``streamlit run``; ``mien streamlit`` runs it, too. Streamlit runs it again after every click."""

from mien.apps.streamlit.pages import show_page

show_page()
