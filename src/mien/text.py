"""The wording of readings, percentages and times, the same in every app.

A reading says what an expression looks like, never what a person is or feels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence, Sized
from typing import TYPE_CHECKING

from mien.labels import label_adjective

if TYPE_CHECKING:
    from mien.results import Reading, Score

#: Counts the faces with an uncertain prediction, whatever their leading expression.
UNCERTAIN = "uncertain"


#: Shown for an image in which no face was detected, with what helps.
NO_FACE = "No face was found."
NO_FACE_HELP = (
    "Faces smaller than about a thirtieth of the image, or turned far away, are missed; a closer photo helps."
)

#: Shown beside the first reading of every app.
DISCLAIMER = "What an expression looks like is not what a person feels."

#: What mien must not be used for; shown in every app.
PROHIBITED_USES = (
    "Not to judge, sort, hire, grade, insure, police or diagnose people, not to watch pupils or workers "
    "(which the European Union's AI Act forbids), and not on anybody who has not agreed to it."
)

#: What mien cannot do, one sentence each.
LIMITATIONS = (
    "It does not know what anybody feels. Faces are posed, held, tired, ill or simply built that way; people agree "
    "with each other only in part.",
    "It was trained on photographs from the web and is less accurate on faces unlike those: very young or old people, "
    "veiled or bearded faces, unusual light.",
    "It analyses a single moment, without knowing what happened before it.",
)

#: Shown before a camera is opened, with the note where its images go.
CAMERA_NOTICE = "Every face in the image is analysed. Ask the people beside you first."


# Numbers and times


def format_percent(part: float, digits: int = 0, *, no_break: bool = False) -> str:
    """``93 %`` of 0.93; with ``no_break`` the space is a no-break space, for text that wraps."""
    return f"{part:.{digits}%}".replace("%", "\u00a0%" if no_break else " %")


def format_probability(part: float, *, no_break: bool = False) -> str:
    """``64 %``; more than zero but less than half a percent is ``under 1 %``."""
    return "under 1 %" if 0 < part < 0.005 else format_percent(part, no_break=no_break)


def format_decimal(value: float, *, plus: bool = False) -> str:
    """``0.28`` or ``−0.12`` with a real minus sign; with ``plus`` also ``+0.28``."""
    rounded = round(value, 2)
    return f"{'−' if rounded < 0 else '+' * plus}{abs(rounded):.2f}"


def format_time(seconds: float) -> str:
    """A position in a video: ``12.4 s``, ``1:02.4``, ``1:00:02``."""
    tenths = round(max(seconds, 0.0) * 10)
    if tenths < 600:
        return f"{tenths / 10:.1f} s"
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest // 10:02d}" if hours else f"{minutes}:{rest // 10:02d}.{rest % 10}"


def format_duration(seconds: float) -> str:
    """A duration: ``0.08 s``, ``0.8 s``, ``12 s``, ``3 min 20 s``, ``1 h 2 min``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s" if seconds >= 0.095 else f"{seconds:.2f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


# Readings


def format_count(number: int, noun: str) -> str:
    """``1 track``, ``1,200 tracks``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def describe_label(label: str) -> str:
    """``looks fearful`` for the label fear."""
    return f"looks {label_adjective(label)}"


def format_headline(reading: Reading) -> str:
    """``looks happy · 93 %``, or ``perhaps looks happy · 43 %`` if the prediction is uncertain."""
    emotions = reading.emotions
    prefix = "perhaps " if emotions.uncertain else ""
    return f"{prefix}{describe_label(emotions.top)} · {format_percent(emotions[emotions.top])}"


def describe_doubts(reading: Reading) -> tuple[str, ...]:
    """The reasons not to trust a reading, one sentence each; empty if there is none."""
    doubts = []
    if not reading.quality.ok:
        doubts.append(f"Hard to judge: {reading.quality.reason or 'the face is not clear'}.")
    if reading.emotions.uncertain:
        doubts.append(f"Unsure: {reading.emotions.uncertain}.")
    return tuple(doubts)


def describe_mixture(reading: Reading) -> str:
    """A sentence about a mixed expression; empty if the expression is not mixed."""
    mixture = reading.emotions.mixture
    if len(mixture) < 2:
        return ""
    return f"Mixed expression: {_enumerate(map(_format_score, mixture))} of the predicted annotator votes."


def describe_votes(reading: Reading) -> str:
    """The predicted votes of ten annotators as a sentence; empty if the model predicts no votes."""
    if reading.emotions.votes is None:
        return ""
    votes = allocate_ten_votes(reading.emotions.votes)
    counts = [f"{votes.count(label)} {label}" for label in dict.fromkeys(votes)]
    return f"Predicted annotator votes (FER+), of ten: {_enumerate(counts)}."


def allocate_ten_votes(votes: Sequence[Score]) -> tuple[str, ...]:
    """Vote probabilities as ten labels, the most frequent first; the largest remainders are rounded up."""
    counts = {label: int(10 * score) for label, score in votes}
    by_remainder = sorted(votes, key=lambda vote: (-(10 * vote.score - int(10 * vote.score)), -vote.score))
    for label, _ in by_remainder[: max(10 - sum(counts.values()), 0)]:
        counts[label] += 1
    ranked = sorted(counts, key=lambda label: -counts[label])
    return tuple(label for label in ranked for _ in range(counts[label]))


def describe_face_count(faces: Sized) -> str:
    """``No face``, ``One face``, ``12 faces``."""
    return {0: "No face", 1: "One face"}.get(len(faces), f"{len(faces)} faces")


def count_expressions(readings: Sequence[Reading]) -> dict[str, int]:
    """The number of faces of each leading expression, the most frequent first.

    Faces with an uncertain prediction are counted last as :data:`UNCERTAIN`, and not by their leading expression.
    """
    counts = Counter(reading.emotions.top for reading in readings if not reading.emotions.uncertain)
    uncertain = sum(reading.emotions.uncertain is not None for reading in readings)
    return dict(counts.most_common()) | ({UNCERTAIN: uncertain} if uncertain else {})


def summarize_expressions(readings: Sequence[Reading]) -> str:
    """``9 happy, 9 neutral, 5 angry, 1 uncertain``; empty for no readings."""
    return ", ".join(f"{count} {label}" for label, count in count_expressions(readings).items())


def join_scores(scores: Iterable[Score]) -> str:
    """``60 % sad, 30 % neutral``; empty for no scores."""
    return ", ".join(map(_format_score, scores))


def format_explanation_title(predicted: str, target: str, versus: str | None = None) -> str:
    """``Why it looks happy`` if the target is the predicted label, else ``Evidence for sad``."""
    title = f"Why it {describe_label(target)}" if target == predicted else f"Evidence for {target}"
    return f"{title} compared with {versus}" if versus else title


def _format_score(score: Score) -> str:
    return f"{format_percent(score.score)} {score.label}"


def _enumerate(parts: Iterable[str]) -> str:
    """``a, b and c``."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
