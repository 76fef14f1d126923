"""The desktop application ``mien desktop`` and the window of ``mien live``, with Tk.

The state of the application imports no Tk: ``application`` and its parts ``images``, ``video_state``,
``explanation_state`` and ``saving``, which share ``state``, ``worker`` and ``settings``. Views show the state, and can
be rebuilt at any time: ``main_loop`` and ``window``; the pages ``photo``, ``camera``, ``video``, ``explain`` and
``models``; ``commands`` and ``dialogs``; and the widgets in ``widgets``, ``face_scores``, ``layer_view`` and
``live_panel``, drawn with ``style`` and ``drawing``.
"""
