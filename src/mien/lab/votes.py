"""The vote head against what ten people said (FER+). NumPy only."""

from __future__ import annotations

from typing import Any

import numpy as np

from mien.lab.data import Faces
from mien.lab.scores import Mask, Shares
from mien.labels import VOTES

#: The part of the voters from which an expression counts as there.
ASKED = 0.2


def vote_sheet(votes: Shares, faces: Faces, above: float = ASKED) -> dict[str, Any]:
    """What the vote head (N, 8) is worth on these faces; none of them with votes gives an empty table.

    ``votes_accuracy``: how often its largest share is the expression with the most votes, over the ``votes_faces`` on
    which one of the eight expressions has more votes than every other; ties are left out, and people who said
    "unknown" or "no face" are not counted. ``votes_divergence``: mean Kullback-Leibler divergence of the head from the
    voters' shares, in nats, over all faces with a vote for an expression. ``votes_second``: how often its second
    expression is the voters' second, over the ``votes_second_faces`` on which they have one. ``mixture``: precision and
    recall of naming every expression with ``above`` of the head's votes, against those that a fifth of people named.
    """
    said = faces.vote_shares()
    asked, sole = said.any(1), majority(said)
    if not sole.any():
        return {}
    right = votes.argmax(1) == said.argmax(1)
    return {
        "votes_faces": int(sole.sum()),
        "votes_accuracy": float(np.mean(right[sole])),
        "votes_divergence": divergence(said[asked], votes[asked]),
        **_second(votes, said),
        "mixture": mixture_row(votes[asked], said[asked], above),
    }


def _second(votes: Shares, said: Shares) -> dict[str, Any]:
    """How often the second expressions agree, where the voters' first two are not tied; None where nobody has one."""
    ranks = np.sort(said, axis=1)[:, ::-1]
    there = (ranks[:, 0] > ranks[:, 1]) & (ranks[:, 1] > ranks[:, 2])
    right = np.argsort(-votes, axis=1, kind="stable")[:, 1] == np.argsort(-said, axis=1, kind="stable")[:, 1]
    found = float(np.mean(right[there])) if there.any() else None
    return {"votes_second_faces": int(there.sum()), "votes_second": found}


def sides(shares: Shares, faces: Faces) -> dict[str, int]:
    """Whom people side with where a model is wrong: counts over the mistakes on faces that have a majority.

    ``shares`` (N, K) along ``faces.classes``; "faces" counts those without a majority too.
    """
    said, answer = faces.vote_shares(), shares.argmax(1)
    wrong = answer != faces.labels
    asked = np.flatnonzero(wrong & majority(said))
    people = [VOTES[place] for place in said[asked].argmax(1)]
    model, label = ([faces.classes[place] for place in of[asked]] for of in (answer, faces.labels))
    with_model = sum(map(str.__eq__, people, model))
    with_label = sum(map(str.__eq__, people, label))
    return {
        "faces": int(wrong.sum()),
        "with_majority": len(asked),
        "people_say_the_answer": with_model,
        "people_say_the_label": with_label,
        "people_say_something_else": len(asked) - with_model - with_label,
    }


def majority(said: Shares) -> Mask:
    """Where one expression has more votes than every other, bool (N,)."""
    ordered = np.sort(said, axis=1)
    return np.asarray(ordered[:, -1] > ordered[:, -2])


def divergence(said: Shares, votes: Shares) -> float:
    """Mean Kullback-Leibler divergence of predicted ``votes`` (N, K) from ``said`` (N, K), in nats."""
    said, votes = said.astype(np.float64), np.maximum(votes.astype(np.float64), 1e-12)
    ratio = np.where(said > 0, said / votes, 1.0)
    return float(np.mean(np.sum(said * np.log(ratio), axis=1)))


def mixture_row(votes: Shares, said: Shares, above: float, asked: float = ASKED) -> dict[str, float]:
    """How well the rule of a mixture finds the expressions that ``asked`` of the voters named, both (N, 8).

    The rule names the leading expression, and every other whose share lies ``above``.
    """
    named, there = votes >= above, said >= asked - 1e-6
    named[np.arange(len(votes)), votes.argmax(1)] = True
    hit = float(np.sum(named & there))
    precision, recall = hit / max(int(named.sum()), 1), hit / max(int(there.sum()), 1)
    f1 = 2 * precision * recall / max(precision + recall, 1e-12)
    return {"above": above, "precision": precision, "recall": recall, "f1": f1}
