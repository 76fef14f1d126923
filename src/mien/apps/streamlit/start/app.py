"""What ``streamlit run`` takes; ``mien streamlit`` runs it as well. Streamlit runs it anew for every click."""

from mien.apps.streamlit.layout import show_page

show_page()
