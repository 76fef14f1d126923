"""The Streamlit page: photos, the camera, videos, explanations, training runs and reports of data sets.

``server.py`` starts it; ``start/app.py`` is the file that Streamlit runs; ``layout.py`` is what every page has, and
``pages/`` has one module for each page.
"""
