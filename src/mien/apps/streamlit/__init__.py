"""The Streamlit page: photos, the camera, videos, explanations, training runs and reports of data sets.

``server.py`` starts it; ``start/app.py`` is the file that Streamlit runs. Streamlit puts the folder ``start`` first on
the import path: nothing else may be in it. ``pages/`` has what every page has, and one module for each page.
"""
