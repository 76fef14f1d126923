"""What ten people would say, as ten people."""

from __future__ import annotations

from collections.abc import Sequence

from mien.types import Share


def of_ten(votes: Sequence[Share]) -> tuple[str, ...]:
    """The shares of votes as ten labels, the most frequent first; remainders go to the largest of them."""
    counts = {label: int(10 * share) for label, share in votes}
    by_rest = sorted(votes, key=lambda vote: (-(10 * vote.share - int(10 * vote.share)), -vote.share))
    for label, _ in by_rest[: max(10 - sum(counts.values()), 0)]:
        counts[label] += 1
    ranked = sorted(counts, key=lambda label: -counts[label])
    return tuple(label for label in ranked for _ in range(counts[label]))
