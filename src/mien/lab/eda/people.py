"""Ten people looked at every face of FER2013. What did they say, and did it have to do with the label?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.lab.data import ANSWERS, Faces
from mien.labels import EMOTIONS, VOTES

#: So many faces are shown on which people disagree, and on which they disagree with the label.
SHOWN = 12
#: So much of the voters must say the same for it to be said against a label.
SURE = 0.8


@dataclass(frozen=True)
class Votes:
    """``answers`` (7, 10): of what people said of a class's faces, the part that was each of ANSWERS.

    ``agree`` (7,) is the part of each class's faces whose label was said more often than any other answer, ``overall``
    that of all; ``asked`` counts the faces with votes. ``torn`` are the faces people agree on least, ``contrary`` those
    on which they agree with each other and not with the label.
    """

    answers: NDArray[np.float64]
    agree: NDArray[np.float64]
    overall: float
    asked: int
    torn: tuple[int, ...]
    contrary: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        table = {
            label: dict(zip(ANSWERS, np.round(row, 4).tolist(), strict=True))
            for label, row in zip(EMOTIONS, self.answers, strict=True)
        }
        agree = dict(zip(EMOTIONS, np.round(self.agree, 4).tolist(), strict=True))
        shown = {"disagreed_on_most": list(self.torn), "against_the_label": list(self.contrary)}
        return {"asked": self.asked, "agree": round(self.overall, 4), "agree_by_class": agree, "said": table, **shown}


def asked(faces: Faces) -> Votes:
    """What people said of these faces, of which one at least must have votes."""
    voted = faces.votes.sum(1) > 0
    right = _most(faces)
    answers, agree = np.zeros((len(EMOTIONS), len(ANSWERS))), np.zeros(len(EMOTIONS))
    for label in range(len(EMOTIONS)):
        inside = voted & (faces.labels == label)
        answers[label] = faces.votes[inside].sum(0) / max(faces.votes[inside].sum(), 1)
        agree[label] = right[inside].mean() if inside.any() else 0.0
    overall = float(right[voted].mean())
    return Votes(answers, agree, overall, int(voted.sum()), _torn(faces), _contrary(faces))


def spoken(faces: Faces, place: int) -> dict[str, int]:
    """What was said of one face, most frequent first, without the answers that nobody gave."""
    counts = {answer: int(count) for answer, count in zip(ANSWERS, faces.votes[place], strict=True) if count}
    return dict(sorted(counts.items(), key=lambda each: -each[1]))


def _most(faces: Faces) -> NDArray[np.bool_]:
    """Where the label got more votes than any other answer; a tie is no agreement."""
    own = faces.votes[np.arange(len(faces)), faces.labels]
    others = faces.votes.copy()
    others[np.arange(len(faces)), faces.labels] = 0
    return np.asarray(own > others.max(1))


def _torn(faces: Faces) -> tuple[int, ...]:
    """The faces with the largest entropy among the voters who named an expression, eight of them or more."""
    counts = faces.votes[:, : len(VOTES)].astype(float)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    entropy = -(shares * np.log(np.where(shares > 0, shares, 1))).sum(1)
    entropy[(counts.sum(1) < 8) | faces.blank()] = -1
    order = np.argsort(-entropy, kind="stable")[:SHOWN]
    return tuple(int(place) for place in order if entropy[place] > 0)


def _contrary(faces: Faces) -> tuple[int, ...]:
    """Faces that nearly everybody calls the same, and that is not the label; in turn of the labels."""
    counts = faces.votes[:, : len(VOTES)]
    sure = counts.max(1) >= np.maximum(SURE * faces.votes.sum(1), 1)
    places = np.flatnonzero(sure & (counts.argmax(1) != faces.labels))
    by_label = [places[faces.labels[places] == label] for label in range(len(EMOTIONS))]
    turns = [(turn, int(place)) for some in by_label for turn, place in enumerate(_surest(faces, some))]
    return tuple(place for _, place in sorted(turns, key=lambda each: each[0])[:SHOWN])


def _surest(faces: Faces, places: NDArray[np.int64]) -> list[int]:
    share = faces.votes[places].max(1) / np.maximum(faces.votes[places].sum(1), 1)
    return places[np.argsort(-share, kind="stable")][:SHOWN].tolist()
