"""What the figures of an audit come to, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Figures = Mapping[str, Any]

#: With all weights shuffled a map may be this much like the true one; a map of the face alone would be all of it.
MOST_LIKENESS = 0.5

#: Below this much agreement a little noise makes another map.
LEAST_STABILITY = 0.6

#: A map this much like a hill in the middle of the crop tells little about where.
COARSE = 0.7

#: What an engine shows when nothing is said stands before the others.
_FIRST = ("cam", "occlusion", "rise")


def judged(figures: dict[str, Any]) -> dict[str, Any]:
    """The figures with a verdict for each method, the one to show, and the whole in one sentence.

    A method ``holds``, or ``fails``, or is ``unsure``: ahead of every baseline, but on too few faces to be certain.
    """
    for name, told in figures["methods"].items():
        failures, doubts = list(_failures(told)), list(_doubts(told, figures["faces"]))
        told["standing"] = "fails" if failures else "unsure" if doubts else "holds"
        told["believable"] = told["standing"] == "holds"
        told["verdict"] = _sentence(told, failures, doubts, figures["agreement"][name])
    believable = [name for name, told in figures["methods"].items() if told["believable"]]
    ranked = sorted(believable, key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
    figures["default"] = ranked[0] if ranked else None
    figures["verdict"] = _whole(figures, ranked)
    return figures


def beaten(told: Figures) -> list[str]:
    """The baselines that a method beats on both curves, with 95 % certainty."""
    return [name for name, gain in told["against"].items() if all(gain[curve][1] > 0 for curve in gain)]


def _failures(told: Figures) -> Iterator[str]:
    behind = [name for name, gain in told["against"].items() if any(gain[curve][0] <= 0 for curve in gain)]
    if behind:
        yield f"it does not beat {_listed(behind)} on both curves"
    likeness = told["shuffled"][-1]["likeness"]
    if likeness > MOST_LIKENESS:
        yield f"it draws much the same map ({likeness:.2f} alike) when every weight is shuffled"


def _doubts(told: Figures, faces: int) -> Iterator[str]:
    if missed := [name for name in told["against"] if name not in beaten(told)]:
        yield f"it is ahead of {_listed(missed)}, but {faces:,} faces are too few to be certain"


def _sentence(told: Figures, failures: list[str], doubts: list[str], agreement: Figures) -> str:
    if failures:
        return f"Do not believe it: {' and '.join(failures)}."
    if doubts:
        return f"Take more faces: {doubts[0]}."
    gains = [min(gain[curve][0] for gain in told["against"].values()) for curve in ("deletion", "insertion")]
    steady = told["stability"][0]
    firm = "hardly moves" if steady >= LEAST_STABILITY else "moves"
    last = told["shuffled"][-1]["likeness"]
    return (
        f"It can be believed: it beats {_listed(told['against'])}, by {gains[0]:.3f} or more on deletion and "
        f"{gains[1]:.3f} or more on insertion; with shuffled weights the map is another ({last:.2f} alike), and a "
        f"little noise {firm} it ({steady:.2f} alike).{_coarse(agreement)}"
    )


def _coarse(agreement: Mapping[str, float]) -> str:
    """Faces are in the middle, and so is a map of few places: true, and little said."""
    alike = agreement.get("centre", 0.0)
    if alike < COARSE:
        return ""
    return f" It is coarse, though: it is {alike:.2f} alike to a plain hill in the middle of the crop."


def _whole(figures: Figures, believable: list[str]) -> str:
    name, count, methods = figures["model"], figures["faces"], figures["methods"]
    fail, unsure = ([each for each in methods if methods[each]["standing"] == word] for word in ("fails", "unsure"))
    rest = f" Take more faces to be certain of {_listed(unsure)}." if unsure else ""
    rest += f" Do not show {_listed(fail)}." if fail and believable else ""
    if not believable:
        return f"No map of {name} can be believed on these {count:,} faces.{rest}"
    if len(believable) == 1:
        return f"Of {name}'s maps, {believable[0]} tells the truth on these {count:,} faces.{rest}"
    sharpest = max(believable, key=lambda each: methods[each]["insertion"][0])
    told = f"Of {name}'s maps, {_listed(believable)} tell the truth on these {count:,} faces; {sharpest} tells most."
    return told + rest


def _listed(names: Any) -> str:
    *some, last = names
    return f"{', '.join(some)} and {last}" if some else str(last)
