"""The Streamlit page for ``streamlit run`` and for Streamlit's cloud: docs/deploy/streamlit.md.

The settings beside it, in ``.streamlit/config.toml``, give it its colours and keep it from telling that it is used.
"""

import os

# Such a machine has a gigabyte of memory, and everybody may send it pictures.
os.environ.setdefault("MIEN_MAX_PIXELS", "30_000_000")

from mien.apps.streamlit.layout import show_page

show_page()
