"""Annotated videos: complete files with the frames in order, and simplified labels."""

from dataclasses import replace

import numpy as np

from analyzed_frames import make_frame, make_reading, scores
from mien.results import FrameResult, Quality, Score
from mien.video import VideoInfo, open_video
from mien.video.annotate import AnnotatedVideo, simplify_labels
from mien.video.journal import AnalysisOptions

PIXELS = np.full((120, 160, 3), 90, np.uint8)


def write_annotated(path, *, blur_faces=False):
    info = VideoInfo("clip", (160, 120), fps=10.0)
    with AnnotatedVideo(path, AnalysisOptions("clip.webm"), info, blur_faces=blur_faces) as annotated:
        for index in range(10):
            annotated.add(make_frame(index, make_reading(scores(happy=0.8)), fps=10.0, pixels=PIXELS))
    with open_video(path) as reader:
        return list(reader.frames())


def test_annotated_video_has_every_frame_with_a_box(tmp_path):
    frames = write_annotated(tmp_path / "annotated.webm")
    assert len(frames) == 10
    assert all(np.abs(frame.pixels.astype(int) - PIXELS).max() > 50 for frame in frames)


def test_blurred_video_has_every_frame(tmp_path):
    assert len(write_annotated(tmp_path / "annotated.webm", blur_faces=True)) == 10


def test_label_has_no_mixture_and_unusable_faces_are_uncertain():
    clear = make_reading(scores(happy=0.8))
    clear = replace(clear, emotions=replace(clear.emotions, mixture=(Score("happy", 0.5), Score("sad", 0.4))))
    unusable = make_reading(scores(happy=0.8), 2, Quality(False, "turned to the side"))
    simplified = simplify_labels(FrameResult("clip", (160, 120), (clear, unusable), "fake", "fake")).readings
    assert [reading.emotions.mixture for reading in simplified] == [(), ()]
    assert [reading.emotions.uncertain for reading in simplified] == [None, "turned to the side"]
