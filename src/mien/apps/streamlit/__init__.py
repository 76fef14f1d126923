"""The Streamlit page: photos, the camera, films, the network's inside, training runs and sets of faces.

::

    server.py      Streamlit in this process: where it listens, and what it leaves undone
    settings.py    what is set for the whole page, by ``MIEN_*`` variables
    start/app.py   what ``streamlit run`` takes, in a folder of its own
    frame.py       what every page has: the way to the others, model and detector, the edge where errors become words
    engines.py     the engines, loaded once for everybody who visits
    held.py        what a visitor has in hand, and what was read of it; gone with the page
    uploads.py     files as Streamlit holds them, let go in time
    choosing.py    a picture chosen, or one of the samples
    shown.py       what was read, on the page; faces.py  one face; drawings.py  figures and whole pages in it
    pages/         one module for each page
"""
