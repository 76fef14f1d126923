"""What the apps share, without any toolkit for windows or pages.

::

    engines.py           engines by model and detector, each loaded once
    video_jobs.py        the analysis of one video: progress, result files, errors, cancellation
    uploads.py           uploaded files: limits, decoding, names in error messages
    live_camera.py       the analysis of a camera in a thread
    live_explanation.py  activations of the face in front of a camera, in a thread
    overlay.py           an evidence map over the face in an image
    recording.py         an annotated video of a camera
    model_cards.py       model cards as rows for tables
    ports.py             free ports, and why a server cannot listen
    samples/             the sample images
"""
