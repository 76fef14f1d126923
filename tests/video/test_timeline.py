"""Events, the summary of a video, its tables and subtitles."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from analyzed_frames import DECIDE, make_frame, make_frames, make_reading, scores
from mien.faces.quality import assess_quality
from mien.labels import EMOTIONS
from mien.results import Box, Face, Quality
from mien.video.events import EventDetector, TimedFrame, time_frames
from mien.video.tables import event_row, face_columns, face_rows, format_csv, format_webvtt, track_records
from mien.video.timeline import MAX_STEPS, VideoSummary, VideoTimeline, reason_category

HAPPY, SAD, NEUTRAL = scores(happy=0.85), scores(sad=0.8), scores(neutral=0.8)
UNUSABLE = Quality(False, "turned to the side")


def summarize(frames):
    summary = VideoSummary(DECIDE)
    for _ in summary.process(frames):
        pass
    summary.finish()
    return summary


def detect_events(frames):
    detector = EventDetector()
    events = [event for timed in time_frames(frames) for event in detector.step(timed)]
    return [*events, *detector.finish()]


# Durations and events


def test_frame_lasts_until_the_next_one():
    seconds = (0.0, 0.1, 0.5, 0.6)
    frames = [replace(make_frame(index), seconds=second) for index, second in enumerate(seconds)]
    assert [round(timed.seconds, 3) for timed in time_frames(frames)] == [0.1, 0.4, 0.1, 0.1]
    assert list(time_frames([])) == []


def test_event_has_track_emotion_and_times():
    neutral, happy = summarize(make_frames((2, NEUTRAL), (1, HAPPY), track=2)).events
    assert str(happy).startswith("track 2: happy from 2.0 to 3.0 s, peak 0.8")
    assert neutral.emotion == "neutral"
    assert neutral.end == happy.start


def test_short_expression_is_no_event_and_does_not_interrupt_another():
    [event] = detect_events(make_frames((1, NEUTRAL), (0.2, HAPPY), (1, NEUTRAL)))
    assert event.emotion == "neutral"
    assert event.seconds == pytest.approx(2.2)


def test_short_gap_does_not_end_an_event():
    assert len(detect_events(make_frames((1, HAPPY), (0.4, None), (1, HAPPY)))) == 1
    assert len(detect_events(make_frames((1, HAPPY), (0.8, None), (1, HAPPY)))) == 2


def test_event_is_returned_as_soon_as_it_has_ended():
    detector = EventDetector()
    events = {timed.frame.index: detector.step(timed) for timed in time_frames(make_frames((1, HAPPY), (2, None)))}
    [index] = [index for index, ended in events.items() if ended]
    assert index / 25 == pytest.approx(1.5, abs=0.1)


def test_uncertain_and_unusable_faces_have_no_events():
    assert detect_events(make_frames((2, scores(happy=0.2)))) == []
    assert detect_events([make_frame(index, make_reading(HAPPY, quality=UNUSABLE)) for index in range(50)]) == []


def test_peak_of_an_event_is_its_highest_score():
    frames = [make_frame(index, make_reading(scores(happy=0.5 + 0.4 * (index == 20)))) for index in range(40)]
    [event] = detect_events(frames)
    assert event.peak == pytest.approx(0.9)
    assert event.peak_at == pytest.approx(0.8)


# Timeline


def test_summary_counts_the_seconds_of_a_track():
    frames = make_frames((2, HAPPY), (1, None), (1, scores(happy=0.2)))
    frames += [make_frame(index, make_reading(HAPPY, quality=UNUSABLE)) for index in range(100, 125)]
    track = summarize(frames).timeline.tracks[1]
    assert (track.first, round(track.last, 3)) == (0.0, 5.0)
    assert track.visible_seconds == pytest.approx(4.0)
    assert track.judged_seconds == pytest.approx(3.0)
    assert track.uncertain_seconds == pytest.approx(0.9, abs=0.2)
    assert track.unjudged_seconds == {"turned to the side": pytest.approx(1.0)}
    assert next(iter(track.emotions())) == "happy"


def test_track_record_has_the_documented_keys():
    [record] = track_records(summarize(make_frames((1, HAPPY), track=3)))
    assert list(record) == [
        "kind",
        "track",
        "first",
        "last",
        "visible_seconds",
        "judged_seconds",
        "uncertain_seconds",
        "emotions",
        "unjudged_seconds",
        "description",
    ]
    assert (record["kind"], record["track"], record["emotions"]) == ("track", 3, {"happy": 1.0})


def test_timeline_of_a_long_video_stays_small():
    timeline = VideoTimeline()
    happy, sad = (make_frame(0, make_reading(values)) for values in (HAPPY, SAD))
    for second in range(4000):
        frame = happy if second < 2000 else sad
        timeline.add(TimedFrame(replace(frame, seconds=float(second)), second + 1.0))
    steps = list(timeline.steps(1))
    assert MAX_STEPS / 2 <= len(steps) <= MAX_STEPS + 1
    assert steps[0].scores[3] == pytest.approx(0.85)
    assert steps[-1].scores[4] == pytest.approx(0.8)
    assert sum(step.judged * (step.end - step.start) for step in steps) == pytest.approx(4000)


def test_long_frame_is_divided_among_steps():
    timeline = VideoTimeline()
    timeline.add(TimedFrame(make_frame(0, make_reading(HAPPY)), 1.0))
    assert len(list(timeline.steps(1))) == 10


def test_reason_category_has_no_numbers():
    pixels = np.full((100, 100, 3), 128, np.uint8)
    small = assess_quality(pixels, Face(Box(0, 0, 9, 9)), np.zeros((48, 48), np.uint8))
    assert reason_category(small.reason) == "the face is too small"
    assert reason_category("turned to the side") == "turned to the side"


# Tables and subtitles


def test_columns_of_faces_are_documented():
    assert ",".join(face_columns(EMOTIONS)) == (
        "frame,seconds,track,x,y,width,height,detection,emotion,"
        "angry,disgust,fear,happy,sad,surprise,neutral,uncertain,quality"
    )
    assert face_columns(EMOTIONS, raw=True)[-7:] == [f"raw_{label}" for label in EMOTIONS]
    assert face_columns(("emotion", "quality"))[9:11] == ["score_emotion", "score_quality"]


def test_row_of_a_face_has_its_emotion_and_reasons():
    frame = make_frame(3, make_reading(HAPPY), make_reading(scores(happy=0.2), 2, UNUSABLE))
    clear, uncertain = face_rows(frame)
    assert clear[:9] == [3, 0.12, 1, 10, 10, 40, 40, 0.9, "happy"]
    assert clear[-2:] == [None, None]
    assert uncertain[-1] == "turned to the side"
    assert uncertain[-2].startswith("no expression stands out")
    assert [len(row) for row in face_rows(frame, frame)] == [25, 25]


def test_labels_of_a_model_are_no_formulas_in_a_table():
    event = replace(summarize(make_frames((1, HAPPY))).events[0], emotion="=HYPERLINK(A1)")
    text = format_csv([face_columns(("@calm", "+1\r2")), event_row(event), [1, None, -0.5, "plain"]])
    table = list(csv.reader(io.StringIO(text, newline="")))
    assert table[0][9:11] == ["'@calm", "'+1\r2"]
    assert table[1][:2] == ["1", "'=HYPERLINK(A1)"]
    assert table[2] == ["1", "", "-0.5", "plain"]
    assert text.count("\n") == 3


def test_subtitles_are_escaped_and_ordered_by_time():
    events = summarize(make_frames((2, NEUTRAL), (1, HAPPY))).events + summarize(make_frames((1, SAD), track=2)).events
    events = [replace(event, emotion="<happy> & glad") if event.emotion == "happy" else event for event in events]
    lines = format_webvtt(events).split("\n")
    assert lines[0] == "WEBVTT"
    times = [line for line in lines if "-->" in line]
    assert [line[:12] for line in times] == sorted(line[:12] for line in times)
    assert "00:00:00.000 --> 00:00:01.000" in times
    assert any("&lt;happy&gt; &amp; glad" in line for line in lines)
    assert any(line.startswith("<v Track 2>track 2 looks sad") for line in lines)
