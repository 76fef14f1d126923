"""Watching a camera: reading it in threads of its own, and a Tk widget that shows what is read.

::

    watching.py   the worker: newest frame in, newest view out; the window asks, and never waits
    pushed.py     frames that somebody else hands over, such as a browser
    insides.py    a second worker, which looks into the network at the same faces
    recording.py  what is shown, into a film file
    pane.py       the widget, for the window of ``mien live`` and for any other
    sides.py      its parts beside the picture: bars, timeline, the inside of the network
    overlay.py    boxes, labels and maps on the picture
    window.py     a window around the widget, with its keys
    notice.py     what is said once before a camera opens

Only ``pane``, ``sides`` and ``window`` need Tk.
"""
