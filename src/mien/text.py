"""What a reading says, in words, once for every window: what an expression looks like, never what a person is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Sized
from typing import TYPE_CHECKING

from mien.labels import label_adjective

if TYPE_CHECKING:
    from mien.results import Reading, Score


#: Said where a picture holds no face that was found, with what helps.
NO_FACE = "No face was found."
NO_FACE_HELP = (
    "Faces smaller than about a thirtieth of the picture, or turned far away, are missed; a closer photo helps."
)

#: Said beside every first reading.
DISCLAIMER = "What an expression looks like is not what a person feels."

#: What mien must not be used for; in plain sight in every window.
PROHIBITED_USES = (
    "Not to judge, sort, hire, grade, insure, police or diagnose people, not to watch pupils or workers "
    "(which the European Union's AI Act forbids), and not on anybody who has not agreed to it."
)

#: What mien cannot do, a sentence each.
LIMITATIONS = (
    "It does not know what anybody feels. Faces are posed, held, tired, ill or simply built that way; people agree "
    "with each other only in part.",
    "It learned from photographs found on the web, and is worse on faces unlike those: the very young and old, veiled "
    "or bearded faces, unusual light.",
    "It reads a single moment, without knowing what happened before it.",
)

#: Said before a camera opens, beside where its pictures go.
CAMERA_NOTICE = "Everybody in the picture is read. Ask those beside you first."


def describe_label(label: str) -> str:
    """``looks afraid`` for fear, whatever a model calls it."""
    return f"looks {label_adjective(label)}"


def format_explanation_title(answer: str, target: str, versus: str | None = None) -> str:
    """Over an explanation: ``Why it looks happy``, and ``Evidence for sad`` where that was asked and not answered."""
    asked = f"Why it {describe_label(target)}" if target == answer else f"Evidence for {target}"
    return f"{asked} rather than {versus}" if versus else asked


def format_percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")


def join_scores(shares: Iterable[Score]) -> str:
    """``60 % sad, 30 % neutral``; nothing for no shares."""
    return ", ".join(_part(share) for share in shares)


def format_headline(reading: Reading) -> str:
    """What is seen first: ``looks happy · 93 %``, with a ``perhaps`` where the model is unsure."""
    emotions = reading.emotions
    unsure = "perhaps " if emotions.uncertain else ""
    return f"{unsure}{describe_label(emotions.top)} · {format_percent(emotions[emotions.top])}"


def describe_doubts(reading: Reading) -> tuple[str, ...]:
    """What speaks against trusting this reading, a sentence each; empty when nothing does."""
    found = []
    if not reading.quality.ok:
        found.append(f"Hard to judge: {reading.quality.reason or 'the face is not clear'}.")
    if reading.emotions.uncertain:
        found.append(f"Unsure: {reading.emotions.uncertain}.")
    return tuple(found)


def describe_mixture(reading: Reading) -> str:
    """A sentence where several expressions stand out; empty where one does."""
    several = reading.emotions.mixture
    return f"A mixture: people would see {_joined([_part(share) for share in several])}." if len(several) > 1 else ""


def describe_votes(reading: Reading) -> str:
    """What ten people would say, as a sentence; empty for a model that does not know."""
    if reading.emotions.votes is None:
        return ""
    ten = allocate_ten_votes(reading.emotions.votes)
    return f"Of ten people, {_joined([f'{ten.count(label)} would say {label}' for label in dict.fromkeys(ten)])}."


def describe_face_count(faces: Sized) -> str:
    """How many faces there are in a result, or in several: ``No face``, ``One face``, ``12 faces``."""
    return {0: "No face", 1: "One face"}.get(len(faces), f"{len(faces)} faces")


def allocate_ten_votes(votes: Sequence[Score]) -> tuple[str, ...]:
    """The shares of votes as ten labels, the most frequent first; remainders go to the largest of them."""
    counts = {label: int(10 * share) for label, share in votes}
    by_rest = sorted(votes, key=lambda vote: (-(10 * vote.score - int(10 * vote.score)), -vote.score))
    for label, _ in by_rest[: max(10 - sum(counts.values()), 0)]:
        counts[label] += 1
    ranked = sorted(counts, key=lambda label: -counts[label])
    return tuple(label for label in ranked for _ in range(counts[label]))


def _part(share: Score) -> str:
    return f"{format_percent(share.score)} {share.label}"


def _joined(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


# ==== mien.moments.words
# Times and shares in words, as a report writes them.


def percent_words(share: float) -> str:
    """As everywhere, and never torn apart at the end of a line."""
    return format_percent(share).replace(" ", "\u00a0")


def format_time(seconds: float) -> str:
    """A time in a film: ``12.4 s``, ``1:02.4``, ``1:00:02``."""
    tenths = round(max(seconds, 0.0) * 10)
    if tenths < 600:
        return f"{tenths / 10:.1f} s"
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest // 10:02d}" if hours else f"{minutes}:{rest // 10:02d}.{rest % 10}"


def format_duration(seconds: float) -> str:
    """A length of time: ``0.8 s``, ``12 s``, ``3 min 20 s``, ``1 h 2 min``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s" if seconds >= 0.095 else f"{seconds:.2f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
