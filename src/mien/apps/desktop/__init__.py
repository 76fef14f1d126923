"""The desktop application: pictures, the camera, films and the inside of the network, in one window of Tk's.

What is open and known lives without a window, and is tested so; views show it, and are made anew at any time.

::

    desk.py       everything that is open; ground.py what its parts stand on: worker, engine, status line
    worker.py     one thread for what takes time, in steps, the most urgent first; bench.py its engine and pixels
    album.py      the pictures, read in the background; shots.py one of them; viewing.py as it is painted on the screen
    filming.py    the film; films.py what the worker does with it; film_files.py what comes of it
    watched.py    the camera; peering.py the inside of the network
    outcomes.py   what was read as files; kinds.py what was handed over
    settings.py   what is remembered; bells.py who hears of what; shelf.py the models; system.py

    start.py      the way in; window.py the window; frame.py around it; menus.py, dialogs.py, dropping.py, tidy.py
    theme.py      colours, letters and sizes; styles.py ttk in them; rounded.py, icons.py, drawing.py what is drawn
    parts.py      small pieces of every page; stage.py a picture in a page; shares.py the bars of a face
    photo.py, camera.py, video.py, inside.py, models.py   pages; strip.py, timeline.py, layers.py, maps.py, moving.py
"""
