"""The desktop application ``mien desktop`` and the window of ``mien live``, with Tk.

The state of the application imports no Tk: ``application`` and its parts ``images``, ``video_state``, ``camera_state``,
``explanation_state``, ``saving``, which share ``state``, ``worker``, ``model_session`` and ``settings``. Views show
the state, and can be rebuilt at any time: ``main_loop`` and ``window``; the pages ``photo``, ``camera``, ``video``,
``explain`` and ``models``; ``commands``, ``dialogs``, ``drag_and_drop``; and the widgets in ``widgets``,
``image_view``, ``face_scores``, ``timeline``, ``layer_view`` and ``live_panel``, drawn with ``style`` and ``drawing``.
"""
