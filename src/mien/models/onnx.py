"""A model that runs: raw faces in, shares and votes out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mien.models.agreement import blank, check_answer, check_faces, check_heads, check_input
from mien.models.card import ModelCard, card_in
from mien.models.file import ModelSource, name_of, read_model
from mien.models.graph import with_outputs
from mien.models.session import open_session, run

#: Faces in one run of a session: more were no faster in measurement, and memory stays flat for any number.
CHUNK = 16


class Outputs(NamedTuple):
    """``shares`` is float32 ``(N, labels)``; ``votes`` float32 ``(N, vote labels)``, or None without that head."""

    shares: NDArray[np.float32]
    votes: NDArray[np.float32] | None


class Classifier(Protocol):
    """What the engine asks of a model."""

    @property
    def card(self) -> ModelCard: ...

    def run(self, faces: NDArray[np.uint8]) -> Outputs:
        """Raw faces ``(N, side, side, channels)``, 0 to 255, as the card says; N may be 0."""
        ...


class OnnxClassifier:
    """A model on the CPU. It has no memory: threads may share it.

    ``model`` are the bytes it was loaded from, for those who look inside: the file may be another by then.
    """

    def __init__(self, model: ModelSource, *, threads: int | None = None) -> None:
        raw, self._name = read_model(model), name_of(model)
        self.model, self.threads = raw, threads
        self.card = card_in(raw, self._name)
        self._session = open_session(raw, self._name, threads)
        check_input(self._session, self.card, self._name)
        check_heads(self._session, self.card, self._name)
        heads = {"shares": self.card.labels, "votes": self.card.vote_labels}
        self._heads = {head: labels for head, labels in heads.items() if labels}
        # A graph exported for one face at a time still works, only slower.
        self._chunk = 1 if self._session.get_inputs()[0].shape[0] == 1 else CHUNK
        # Two at a time where it may be: graphs that say they take any number and stop at the second do exist.
        faces = min(self._chunk, 2)
        for answer, (head, labels) in zip(self._run(blank(self.card, faces)), self._heads.items(), strict=True):
            check_answer(answer, faces, labels, head, self._name)

    def run(self, faces: NDArray[np.uint8]) -> Outputs:
        """Raw faces ``(N, side, side, channels)`` uint8: any number in flat memory; none gives empty outputs."""
        check_faces(faces, self.card)
        chunks = [self._run(faces[start : start + self._chunk]) for start in range(0, len(faces), self._chunk)]
        none = [np.zeros((0, len(labels)), np.float32) for labels in self._heads.values()]
        shares, *votes = (np.concatenate(parts) for parts in zip(none, *chunks, strict=True))
        return Outputs(shares, votes[0] if votes else None)

    def _run(self, faces: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        found = run(self._session, tuple(self._heads), faces, self._name)
        return [each.astype(np.float32, copy=False) for each in found]


class Tapped:
    """A model opened for looking inside; ``names`` are the tensors it shows."""

    def __init__(self, model: ModelSource, tensors: Iterable[str], *, threads: int | None = None) -> None:
        raw, self._name = read_model(model), name_of(model)
        self.card = card_in(raw, self._name)
        self.names = tuple(dict.fromkeys(tensors))
        self._session = open_session(with_outputs(raw, self.names), self._name, threads)

    def run(self, faces: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """Every tapped tensor by name, for one batch of raw faces ``(N, side, side, channels)`` uint8."""
        check_faces(faces, self.card)
        return dict(zip(self.names, run(self._session, self.names, faces, self._name), strict=True))


def load_classifier(model: ModelSource, *, threads: int | None = None) -> OnnxClassifier:
    """A model by path or bytes, held against its card and run once; ModelError says what does not fit."""
    return OnnxClassifier(model, threads=threads)


def tapped(model: ModelSource, tensors: Iterable[str], *, threads: int | None = None) -> Tapped:
    """A second session with inner tensors as outputs; the reading session has none, for they can block fusion."""
    return Tapped(model, tensors, threads=threads)
