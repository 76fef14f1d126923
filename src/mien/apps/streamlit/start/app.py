"""The file for ``streamlit run``; ``mien streamlit`` runs it, too. Streamlit runs it again after every click."""

from mien.apps.streamlit.layout import show_page

show_page()
