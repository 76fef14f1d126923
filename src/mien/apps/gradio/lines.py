"""What people of a film looked like over its time: as much as is drawn, however long the film is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

#: So many points of a person are drawn, and so many of everybody are held at most.
DRAWN, _HELD = 400, 20_000


class Lines:
    """A line of points for each person. What would not be drawn is left out while the film is read."""

    def __init__(self) -> None:
        self._lines: dict[int, _Line] = {}
        self._held = 0

    def add(self, person: int, seconds: float, shares: Mapping[str, float]) -> None:
        line = self._lines.setdefault(person, _Line())
        before = len(line.held)
        line.add(seconds, shares)
        if len(line.held) >= 2 * DRAWN:
            line.thin()
        self._held += len(line.held) - before
        if self._held > _HELD:
            self._thin()

    def __len__(self) -> int:
        """How many points are held."""
        return self._held

    def of(self, person: int | None) -> Iterator[tuple[float, dict[str, float]]]:
        """One person's points in order, about as many as are drawn; none for nobody."""
        held = self._lines[person].held if person in self._lines else []
        return ((seconds, dict(shares)) for seconds, shares in held[:: max(-(-len(held) // DRAWN), 1)])

    def _thin(self) -> None:
        for line in self._lines.values():
            line.thin()
        self._held = sum(len(line.held) for line in self._lines.values())


class _Line:
    def __init__(self) -> None:
        self.held: list[tuple[float, tuple[tuple[str, float], ...]]] = []
        self._every = 1
        self._count = 0

    def add(self, seconds: float, shares: Mapping[str, float]) -> None:
        if self._count % self._every == 0:
            self.held.append((seconds, tuple(shares.items())))
        self._count += 1

    def thin(self) -> None:
        """Every second point goes, and comes no more."""
        self.held, self._every = self.held[::2], 2 * self._every
