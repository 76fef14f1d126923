"""Who wants to hear that something changed, by topic."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable


class Bells:
    """Views listen; the state rings. What is heard of is looked up where it lives, so a bell carries nothing."""

    def __init__(self) -> None:
        self._heard: dict[str, list[Callable[[], None]]] = defaultdict(list)

    def hear(self, topic: str, call: Callable[[], None]) -> None:
        self._heard[topic].append(call)

    def ring(self, *topics: str) -> None:
        for topic in topics:
            for call in tuple(self._heard[topic]):
                call()

    def silence(self) -> None:
        """Nobody listens any more: the views are made anew."""
        self._heard.clear()
