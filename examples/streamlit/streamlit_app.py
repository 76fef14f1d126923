"""The Streamlit page for ``streamlit run`` and for Streamlit's cloud: docs/deploy/streamlit.md.

``.streamlit/config.toml`` beside it sets the colours and disables Streamlit's usage statistics.
"""

import os

# Such a machine has one gigabyte of memory, and everybody may upload images.
os.environ.setdefault("MIEN_MAX_PIXELS", "30_000_000")

from mien.apps.streamlit.pages import show_page

show_page()
