"""Steadying, events, the resting face, and what is gathered of a film."""

import csv
import io
import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from mien.errors import MienError
from mien.labels import EMOTIONS
from mien.results import Box, Face, Quality
from mien.text import describe_label, format_duration, format_time
from mien.video.baseline import Baseline
from mien.video.events import EventDetector, TimedFrame, time_frames
from mien.video.journal import Journal, JournalHeader, read_frames, read_header
from mien.video.smoothing import Smoother, smooth_frames
from mien.video.tables import event_row, face_columns, face_rows, format_csv, webvtt_lines
from mien.video.timeline import MAX_STEPS, Timeline, VideoSummary, reason_category
from moments import CARD, JUDGE, film, moment, noisy, reading, shares

HAPPY, SAD, NEUTRAL = shares(happy=0.85), shares(sad=0.8), shares(neutral=0.8)
TURNED = Quality(False, "turned to the side")


def tops(moments):
    return [reading.emotions.top for moment in moments for reading in moment]


def changes(words):
    return sum(one != other for one, other in pairwise(words))


def recorded(moments, **facts):
    record = VideoSummary(JUDGE, **facts)
    told = list(record.follow(iter(moments)))
    record.finish()
    return record, told


# Steadying


def test_a_face_that_holds_still_keeps_its_label():
    told = noisy(shares(sad=0.40, neutral=0.35), 20)
    assert changes(tops(told)) > 50
    assert changes(tops(smooth_frames(iter(told), JUDGE))) <= 1


@pytest.mark.parametrize("fps", [5, 10, 15, 25, 30, 60])
def test_a_change_is_shown_within_a_fifth_of_a_second(fps):
    told = list(smooth_frames(iter(film((3, HAPPY), (2, SAD), fps=fps)), JUDGE))
    first = next(moment.seconds for moment in told if tops([moment]) == ["sad"])
    assert first - 3 <= 0.2


def test_a_single_bad_frame_shows_nowhere():
    told = film((2, HAPPY), (0.04, SAD), (2, HAPPY))
    assert set(tops(smooth_frames(iter(told), JUDGE))) == {"happy"}


def test_what_is_shown_has_the_shares_of_what_was_read():
    told = list(smooth_frames(iter(noisy(shares(happy=0.5, surprise=0.3), 10, 0.05)), JUDGE))
    for each in told[20:]:
        [one] = each
        assert sum(share.score for share in one.emotions.scores) == pytest.approx(1, abs=1e-5)
        assert one.emotions["happy"] == pytest.approx(0.5, abs=0.08)


def test_the_leader_of_two_that_are_level_is_the_one_that_was():
    level, other = shares(sad=0.42, neutral=0.40), shares(sad=0.40, neutral=0.42)
    told = film(*[(0.2, level if number % 2 else other) for number in range(20)])
    words = tops(smooth_frames(iter(told), JUDGE))
    assert changes(words) == 0
    assert changes(tops(told)) > 10


def test_doubt_does_not_flicker():
    rng = np.random.default_rng(0)
    told = [moment(index, reading(shares(happy=0.4 + rng.normal(0, 0.01)))) for index in range(200)]
    raw = [one.emotions.uncertain is None for each in told for one in each]
    shown = [one.emotions.uncertain is None for each in smooth_frames(iter(told), JUDGE) for one in each]
    assert changes(raw) > 20
    assert changes(shown) <= 1


def test_a_face_that_cannot_be_judged_leaves_no_trace():
    told = film((1, HAPPY), (1, HAPPY))
    told[10] = moment(10, reading(SAD, quality=TURNED))
    after = list(smooth_frames(iter(told), JUDGE))
    assert after[10].result.readings == told[10].result.readings
    assert after[11].result.readings[0].emotions["sad"] == pytest.approx(HAPPY[4], abs=1e-6)


def test_who_was_away_starts_afresh():
    told = list(smooth_frames(iter(film((2, HAPPY), (1, None), (0.2, SAD))), JUDGE))
    assert tops(told[-5:-4]) == ["sad"]


def test_people_are_steadied_apart():
    steadier = Smoother(JUDGE)
    for index in range(30):
        after = steadier.step(moment(index, reading(HAPPY, 1), reading(SAD, 2)))
    assert tops([after]) == ["happy", "sad"]


# Events


def found(moments):
    return recorded(moments)[0].events


def test_an_event_says_who_what_and_when():
    [calm, glad] = found(film((2, NEUTRAL), (1, HAPPY), person=2))
    assert str(glad).startswith("person 2: happy from 2.0 to 3.0 s, peak 0.8")
    assert calm.label == "neutral"
    assert calm.end == glad.start


def test_what_is_too_short_is_no_event():
    raw = film((1, NEUTRAL), (0.2, HAPPY), (1, NEUTRAL))
    over = events_of(raw)
    assert [event.label for event in over] == ["neutral"]
    assert over[0].end - over[0].start == pytest.approx(2.2)


def events_of(moments, **facts):
    events = EventDetector(**facts)
    told = [event for each in time_frames(moments) for event in events.step(each)]
    return [*told, *events.finish()]


def test_a_short_absence_does_not_end_an_event():
    assert len(events_of(film((1, HAPPY), (0.4, None), (1, HAPPY)))) == 1
    assert len(events_of(film((1, HAPPY), (0.8, None), (1, HAPPY)))) == 2


def test_an_event_is_told_as_soon_as_it_is_over():
    events = EventDetector()
    told = {each.moment.index: events.step(each) for each in time_frames(film((1, HAPPY), (2, None)))}
    [over] = [index for index, some in told.items() if some]
    assert over * 0.04 == pytest.approx(1.5, abs=0.1)


def test_doubt_and_poor_faces_are_no_events():
    assert events_of(film((2, shares(happy=0.2)))) == []
    assert events_of([moment(index, reading(HAPPY, quality=TURNED)) for index in range(50)]) == []


def test_the_peak_is_where_it_was_highest():
    rising = [moment(index, reading(shares(happy=0.5 + 0.4 * (index == 20)))) for index in range(40)]
    [event] = events_of(rising)
    assert event.peak == pytest.approx(0.9)
    assert event.peak_at == pytest.approx(0.8)


def test_a_moment_lasts_until_the_next():
    uneven = [replace(moment(index), seconds=second) for index, second in enumerate((0.0, 0.1, 0.5, 0.6))]
    assert [round(each.seconds, 3) for each in time_frames(uneven)] == [0.1, 0.4, 0.1, 0.1]
    assert list(time_frames([])) == []


# The resting face


def resting(moments, seconds=None):
    baseline = Baseline(EMOTIONS, seconds)
    for each in time_frames(moments):
        baseline.learn(each.moment, each.until)
    return baseline


SAD_AT_REST = shares(sad=0.6, neutral=0.3)


@pytest.mark.parametrize("seconds", [None, 1.0])
def test_a_resting_face_that_reads_as_sad(seconds):
    told = film((3, SAD_AT_REST), (1, shares(happy=0.6, sad=0.25)), (1, shares(sad=0.96)))
    assert tops(told)[0] == "sad"
    baseline = resting(told, seconds)
    after = [baseline.relative(each, JUDGE) for each in told]
    assert (tops(after)[10], tops(after)[80], tops(after)[110]) == ("neutral", "happy", "sad")
    [calm] = after[10]
    assert calm.emotions["neutral"] >= 0.6


def test_a_baseline_leaves_a_calm_face_as_it_is():
    told = film((2, NEUTRAL), (1, HAPPY))
    baseline = resting(told)
    for each in told:
        assert baseline.relative(each, JUDGE) == each


def test_a_baseline_is_each_persons_own():
    told = [moment(index, reading(SAD_AT_REST, 1), reading(SAD, 2)) for index in range(50)]
    told += [moment(index, reading(HAPPY, 1), reading(HAPPY, 2)) for index in range(50, 60)]
    baseline = resting(told, 1.0)
    assert baseline.resting(1)[4] == pytest.approx(0.6)
    assert baseline.resting(2)[4] == pytest.approx(0.8)


def test_who_was_hardly_seen_has_no_baseline():
    told = film((0.2, SAD_AT_REST))
    baseline = resting(told)
    assert baseline.resting(1) is None
    assert baseline.relative(told[0], JUDGE) == told[0]


def test_poor_faces_are_no_rest():
    told = [moment(index, reading(SAD, quality=TURNED)) for index in range(100)]
    assert resting(told).resting(1) is None


def test_a_model_without_neutral_has_no_baseline():
    with pytest.raises(MienError, match="knows 'neutral'"):
        Baseline(("open", "closed"))


def test_votes_are_told_relative_too():
    card = replace(CARD, vote_labels=EMOTIONS, uncertain_below=0.0)
    from functools import partial

    from mien.models.decision import build_emotions

    judge = partial(build_emotions, card)
    one = reading(SAD_AT_REST)
    told = [moment(index, replace(one, emotions=judge(SAD_AT_REST, SAD_AT_REST))) for index in range(50)]
    [after] = resting(told).relative(told[0], judge)
    assert max(after.emotions.votes, key=lambda vote: vote.score).label == "neutral"


# The timeline


def test_time_is_counted_for_each_person():
    told = film((2, HAPPY), (1, None), (1, shares(happy=0.2)))
    told += [moment(index, reading(HAPPY, quality=TURNED)) for index in range(100, 125)]
    person = recorded(told)[0].timeline.people[1]
    assert (person.first, round(person.last, 3)) == (0.0, 5.0)
    assert person.seen == pytest.approx(4.0)
    assert person.judged == pytest.approx(3.0)
    assert person.doubted == pytest.approx(0.9, abs=0.2)
    assert person.unjudged == {"turned to the side": pytest.approx(1.0)}
    assert person.leading()[0][0] == "happy"


def test_a_timeline_stays_small_however_long_the_film():
    timeline = Timeline()
    for second in range(20000):
        each = moment(second, reading(HAPPY if second < 10000 else SAD), fps=1)
        timeline.add(TimedFrame(each, second + 1.0))
    steps = list(timeline.steps(1))
    assert MAX_STEPS / 2 <= len(steps) <= MAX_STEPS + 1
    assert steps[0].shares[3] == pytest.approx(0.85)
    assert steps[-1].shares[4] == pytest.approx(0.8)
    assert sum(step.judged * (step.end - step.start) for step in steps) == pytest.approx(20000)


def test_a_long_frame_covers_several_steps():
    timeline = Timeline()
    timeline.add(TimedFrame(moment(0, reading(HAPPY)), 1.0))
    assert len(list(timeline.steps(1))) == 10


def test_reasons_are_counted_without_their_numbers():
    pixels = np.full((100, 100, 3), 128, np.uint8)
    from mien.faces.quality import assess_quality

    small = assess_quality(pixels, Face(Box(0, 0, 9, 9)), np.zeros((48, 48), np.uint8))
    assert reason_category(small.reason) == "the face is too small"
    assert reason_category("turned to the side") == "turned to the side"


# Tables and subtitles


def test_the_columns_are_as_promised():
    assert ",".join(face_columns(EMOTIONS)) == (
        "frame,seconds,person,x,y,w,h,detection,emotion,angry,disgust,fear,happy,sad,surprise,neutral,uncertain,quality"
    )
    assert face_columns(EMOTIONS, raw=True)[-7:] == [f"raw_{label}" for label in EMOTIONS]
    assert face_columns(("emotion", "quality"))[9:11] == ["score_emotion", "score_quality"]


def test_a_row_tells_a_face_and_what_speaks_against_it():
    told = moment(3, reading(HAPPY), reading(shares(happy=0.2), 2, TURNED))
    first, second = face_rows(told)
    assert first[:9] == [3, 0.12, 1, 10, 10, 40, 40, 0.9, "happy"]
    assert first[-2:] == [None, None]
    assert second[-1] == "turned to the side"
    assert second[-2].startswith("no expression stands out")
    assert [len(row) for row in face_rows(told, told)] == [25, 25]


def test_no_label_of_a_model_becomes_a_formula():
    event = replace(found(film((1, HAPPY)))[0], label="=HYPERLINK(A1)")
    text = format_csv([face_columns(("@calm", "+1\r2")), event_row(event), [1, None, -0.5, "plain"]])
    table = list(csv.reader(io.StringIO(text, newline="")))
    assert table[0][9:11] == ["'@calm", "'+1\r2"]
    assert table[1][:2] == ["1", "'=HYPERLINK(A1)"]
    assert table[2] == ["1", "", "-0.5", "plain"]
    assert text.count("\n") == 3


def test_subtitles_are_valid_and_in_order():
    events = found(film((2, NEUTRAL), (1, HAPPY))) + found(film((1, SAD), person=2))
    events = [replace(event, label="<happy> & glad") if event.label == "happy" else event for event in events]
    lines = list(webvtt_lines(events))
    assert lines[0] == "WEBVTT"
    times = [line for line in lines if "-->" in line]
    assert [line[:12] for line in times] == sorted(line[:12] for line in times)
    assert "00:00:00.000 --> 00:00:01.000" in times
    assert any("&lt;happy&gt; &amp; glad" in line for line in lines)
    assert event_row(events[0])[:2] == [1, "neutral"]


@pytest.mark.parametrize(
    ("seconds", "words"), [(12.44, "12.4 s"), (62.4, "1:02.4"), (59.97, "1:00.0"), (3602, "1:00:02"), (-1, "0.0 s")]
)
def test_times_are_written_as_people_do(seconds, words):
    assert format_time(seconds) == words


def test_lengths_and_looks_in_words():
    assert [format_duration(each) for each in (0.84, 12.2, 200, 3720)] == ["0.8 s", "12 s", "3 min 20 s", "1 h 2 min"]
    assert (describe_label("fear"), describe_label("happy")) == ("looks afraid", "looks happy")


# The journal


RUN = JournalHeader("clip.webm", 10, "fake", "fake", EMOTIONS, (), 2, None, 0.5, None, 20)


def test_moments_come_back_from_a_journal_as_they_went_in(tmp_path):
    told = noisy(HAPPY, 1)
    told[3] = moment(3, reading(SAD, quality=TURNED), reading(HAPPY, 2))
    journal = Journal(tmp_path / "j", RUN)
    for each in told:
        journal.add(each)
    journal.close()
    assert read_header(tmp_path / "j") == RUN
    assert list(read_frames(tmp_path / "j", JUDGE)) == told


def test_a_torn_line_is_left_out_and_written_over(tmp_path):
    path, told = tmp_path / "j", noisy(HAPPY, 1)
    journal = Journal(path, RUN)
    for each in told[:10]:
        journal.add(each)
    journal.close()
    path.write_bytes(path.read_bytes()[:-20])
    assert list(read_frames(path, JUDGE)) == told[:9]
    journal = Journal.going_on(path)
    for each in told[9:]:
        journal.add(each)
    journal.close()
    assert list(read_frames(path, JUDGE)) == told


@pytest.mark.parametrize("text", ["", "{}\n", "[1]\n", json.dumps({"kind": "mien journal", "version": 99, "run": {}})])
def test_what_is_no_journal_tells_of_no_run(tmp_path, text):
    (tmp_path / "j").write_text(text)
    assert read_header(tmp_path / "j") is None


def test_a_run_says_how_it_differs():
    assert RUN.differences(replace(RUN, every=3, length=11)) == ["length", "every"]
