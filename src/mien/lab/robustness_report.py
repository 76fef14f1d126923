"""How models hold, as text, as JSON, as figures and as one page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

from mien import plots
from mien._version import __version__
from mien.html import figure, footer, format_percent, image_tag, note, render_page, table, tile, tiles
from mien.lab import drawn
from mien.lab.corruptions import CORRUPTIONS, Corruption
from mien.lab.evaluate import fingerprint
from mien.lab.groups import ENOUGH, Split
from mien.lab.robustness import Held, Row
from mien.lab.sheet import written

JSON, PAGE, TEXT = "robustness.json", "robustness.html", "robustness.txt"

#: What is asked of a model that shall hold outside of its test: at most so many points lost.
TARGETS = {("shift", 0.1): 2.0, ("jpeg", 30): 3.0, ("small", 24): 6.0, ("turn", 15): 4.0}


@dataclass(frozen=True)
class Report:
    """Every model under everything, in the order of ``names``; ``missing`` says what is not told, and why.

    ``splits[i]`` are the columns of groups for model ``i``.
    """

    names: tuple[str, ...]
    held: tuple[Held, ...]
    splits: tuple[tuple[Split, ...], ...]
    missing: tuple[str, ...] = ()


def names_of(words: Sequence[str], held: Sequence[Held]) -> tuple[str, ...]:
    """What the models' cards say, told apart by the ``words`` they were asked for with where two say the same."""
    names = [each.answers.card.name for each in held]
    return tuple(
        f"{name} ({Path(word).name})" if names.count(name) > 1 else name
        for name, word in zip(names, words, strict=True)
    )


def figures(found: Report) -> dict[str, Any]:
    """Plain numbers."""
    first = found.held[0].answers
    models = [
        {"name": name, "rows": [asdict(row) for row in held.rows], "groups": [_split(each) for each in splits]}
        for name, held, splits in zip(found.names, found.held, found.splits, strict=True)
    ]
    return {
        "mien": __version__,
        "split": first.split,
        "faces": len(first.faces),
        "fingerprint": fingerprint(first.faces),
        "models": models,
        "missing": list(found.missing),
    }


def write(folder: Path, found: Report) -> list[Path]:
    """``robustness.json``, ``.txt``, ``.html`` and the figures as PNG; the page is the last."""
    drawings = {"strengths": plots.strengths(_panels(found))}
    if found.splits[0]:
        drawings["groups"] = plots.groups(_dots(found), "accuracy")
    files = {f"{name}.png": plots.png(drawing) for name, drawing in drawings.items()}
    shown = {panel.title: plots.svg(plots.strength(panel), panel.title) for panel in _panels(found)}
    shown |= {"groups": plots.svg(drawings["groups"], "accuracy by group")} if "groups" in drawings else {}
    files[TEXT] = text(found).encode()
    files[JSON] = (json.dumps(figures(found), indent=1, ensure_ascii=False) + "\n").encode()
    files[PAGE] = render_page(f"How {' and '.join(found.names)} hold", _body(found, shown), style=_STYLE).encode()
    return [written(folder / name, content) for name, content in files.items()]


def text(found: Report) -> str:
    """The table of a terminal: accuracy and points lost by model, then the groups."""
    first = found.held[0].answers
    head = ["", "", *found.names]
    rows = [[_title(row), "", *(_cell(held.rows[place]) for held in found.held)] for place, row in _numbered(found)]
    lines = [f"{len(first.faces):,} faces of the {first.split} split: accuracy, and points lost", ""]
    lines += _columns([head, *rows])
    for place, split in enumerate(found.splits[0]):
        head = [split.column, "faces", *found.names]
        rows = [
            [group.name, f"{group.faces:,}", *(_group_cell(splits[place].groups[number]) for splits in found.splits)]
            for number, group in enumerate(split.groups)
        ]
        gaps = [f"{100 * splits[place].gaps['accuracy']:.1f}" if splits[place].gaps else "-" for splits in found.splits]
        lines += ["", *_columns([head, *rows, ["gap, best to worst", "", *gaps]])]
    return "\n".join([*lines, *(["", *found.missing] if found.missing else [])]) + "\n"


def _numbered(found: Report) -> Iterator[tuple[int, Row]]:
    yield from enumerate(found.held[0].rows)


def _title(row: Row) -> str:
    each = CORRUPTIONS.get(row.corruption)
    return f"{each.name} {each.label(row.strength)}" if each else "as they are"


def _cell(row: Row) -> str:
    lost = "" if row.corruption == "none" else f"  {-100 * row.lost:+5.1f}"
    return f"{100 * row.accuracy:5.1f} %{lost}"


def _group_cell(group: Any) -> str:
    told = group.figures["accuracy"]
    few = "" if group.enough else " (few)"
    return f"{100 * told.value:.1f} % ({100 * told.low:.1f} to {100 * told.high:.1f}){few}"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _split(split: Split) -> dict[str, Any]:
    groups = [
        {
            "name": each.name,
            "faces": each.faces,
            "figures": {name: [told.value, told.low, told.high] for name, told in each.figures.items()},
        }
        for each in split.groups
    ]
    return {"column": split.column, "groups": groups, "gaps": dict(split.gaps)}


def _panels(found: Report) -> list[plots.Panel]:
    return [
        plots.Panel(
            f"{each.name}: {each.meaning}",
            ["plain", *(_short(each, strength) for strength in each.strengths)],
            {name: _line(held.rows, each.name) for name, held in zip(found.names, found.held, strict=True)},
        )
        for each in CORRUPTIONS.values()
    ]


def _short(each: Corruption, strength: float) -> str:
    return each.label(strength).removeprefix("quality ")


def _line(rows: Sequence[Row], name: str) -> list[float]:
    return [row.accuracy for row in rows if row.corruption in ("none", name)]


def _dots(found: Report) -> dict[str, dict[str, list[plots.Dot]]]:
    return {
        split.column: {
            name: [
                plots.Dot(group.name, told.value, told.low, told.high, group.faces)
                for group in splits[place].groups
                if (told := group.figures["accuracy"])
            ]
            for name, splits in zip(found.names, found.splits, strict=True)
        }
        for place, split in enumerate(found.splits[0])
    }


def _body(found: Report, shown: Mapping[str, str]) -> Iterator[str]:
    first = found.held[0].answers
    yield f"<h1>How {escape(' and '.join(found.names))} hold</h1>"
    yield f"<p class='muted'>{len(first.faces):,} faces of the {escape(first.split)} split, the same pixels for every "
    yield "model. Faces in the world are boxed badly, turned, dark, blurred, compressed, small or half hidden.</p>"
    yield tiles(_tiles(found))
    yield "<h2>As trouble grows</h2>"
    yield "<p>Accuracy, plain and as trouble grows. The face below each curve is drawn: nobody is in it.</p>"
    if first.split == "validation" and len(found.names) > 1:
        yield note("Who else trained on FER2013 may have learned from these very faces. Compare on the public split.")
    parts = zip(CORRUPTIONS.values(), _panels(found), strict=True)
    yield f"<div class='troubles'>{''.join(_trouble(each, shown[panel.title]) for each, panel in parts)}</div>"
    yield _table(found)
    yield from _groups(found, shown)
    yield footer("Faces are from the data that was named; drawn ones are mien's own.")


def _tiles(found: Report) -> Iterator[str]:
    rows = found.held[0].rows
    whose = f"{found.names[0]}, " if len(found.names) > 1 else ""
    yield tile(f"{whose}as they are", format_percent(rows[0].accuracy), f"95 % interval {_span(rows[0])}")
    for row in rows:
        if (row.corruption, row.strength) in TARGETS:
            most = TARGETS[row.corruption, row.strength]
            yield tile(f"{whose}{_title(row)}", f"{-100 * row.lost:+.1f}", f"points; {most:g} lost at most is the aim")


def _span(row: Row) -> str:
    return f"{100 * row.low:.1f} to {100 * row.high:.1f}"


def _table(found: Report) -> str:
    cells = [
        [escape(_title(row)), *(_accuracy(held.rows[place]) for held in found.held)] for place, row in _numbered(found)
    ]
    inside = table(["", *found.names], cells)
    return f"<details><summary>All {len(cells)} rows as a table</summary>{inside}</details>"


def _accuracy(row: Row) -> str:
    change = f"({_span(row)})" if row.corruption == "none" else f"{-100 * row.lost:+.1f}"
    return f"{format_percent(row.accuracy)} <small>{change}</small>"


def _trouble(each: Corruption, curve: str) -> str:
    """Its curve, and below it one drawn face as it is and at every strength."""
    face = drawn.faces(4, seed=2).pixels[3]
    faces = {"plain": face} | {each.label(strength): each.change(face, strength, 1) for strength in each.strengths}
    row = "".join(image_tag(pixels, f"a drawn face, {each.meaning}: {word}") for word, pixels in faces.items())
    head = f"<h3>{escape(each.name)} <small>{escape(each.meaning)}</small></h3>"
    return f"<div class='trouble'>{head}{curve}<div class='strip'>{row}</div></div>"


def _groups(found: Report, shown: Mapping[str, str]) -> Iterator[str]:
    yield "<h2>For some faces as for others?</h2>"
    if "groups" in shown:
        inside = figure(shown["groups"], "In brackets: faces of the group. Bars are 95 % intervals.")
        yield f"<div class='groups'>{inside}</div>"
        yield table(["gap between best and worst group", *found.names], _gaps(found))
        yield f"<p class='muted'>Groups of fewer than {ENOUGH} faces take no part in a gap. Chance alone makes gaps "
        yield "too: two groups really differ where their intervals do not meet.</p>"
    yield from (note(escape(each)) for each in found.missing)


def _gaps(found: Report) -> Iterator[list[str]]:
    for place, split in enumerate(found.splits[0]):
        for name in split.gaps:
            told = [splits[place].gaps.get(name) for splits in found.splits]
            cells = ["-" if gap is None else f"{100 * gap:.1f}" for gap in told]
            yield [f"{escape(split.column)}: {escape(name)}, points", *cells]


_STYLE = """
.troubles { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(19rem, 100%), 1fr)); gap: 1.4rem 2rem; }
.trouble h3 { margin: .8rem 0 .3rem; } .trouble h3 small { font-weight: 400; }
.trouble svg { width: 100%; height: auto; }
.strip { display: flex; gap: 3px; padding-left: 2.6rem; }
.strip img { flex: 1; min-width: 0; height: auto; border-radius: .3rem; }
.groups { max-width: 46rem; }
details { margin: 1rem 0; } summary { cursor: pointer; font-weight: 600; }
"""
