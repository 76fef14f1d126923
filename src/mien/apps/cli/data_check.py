"""``mien data check``: what is wrong with labelled faces, by kind, with places and reasons."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from mien.apps.cli.data_source import extras, read, source_options
from mien.apps.cli.output import printable, say
from mien.apps.cli.words import percent

if TYPE_CHECKING:
    from mien.lab.check import Checked, Finding

EPILOG = """\b
Examples:
  mien data check faces/fer2013.csv
  mien data check faces --json
  mien data check faces/train --map contempt=

\b
Exit status: 0 when the faces could be read, whatever was found; with --strict 1 when anything was found.
"""

#: So many findings of a kind are shown; --all and --json have the rest.
SHOWN = 3
#: Faces from which on the five-class subset is compared with that of FER2013.
FER2013_OR_SO = 20_000


@click.command(epilog=EPILOG)
@source_options
@click.option("--json", "as_json", is_flag=True, help="Counts and all findings as one line of JSON.")
@click.option("--all", "everything", is_flag=True, help="Show every finding, not the first few of each kind.")
@click.option("--strict", is_flag=True, help="Leave with 1 when anything was found.")
@click.pass_context
def check(
    context: click.Context, src: str, mapped: tuple[str, ...], as_json: bool, everything: bool, strict: bool
) -> None:
    """Find what is wrong with faces and labels, and name it.

    Rows and pictures that cannot be read, labels out of range, blank faces, the same or nearly the same picture twice
    and in two splits, one picture with two labels, labels numbered in another order, classes and splits without faces.
    """
    source = read(src, mapped)
    with extras():
        from mien.lab.check import check as look

        checked = look(source)
    lines = [json.dumps(checked.to_dict(), ensure_ascii=False)] if as_json else _told(checked, everything)
    for line in lines:
        say(line)
    context.exit(1 if strict and checked.findings else 0)


def _told(checked: Checked, everything: bool) -> Iterator[str]:
    source = checked.source
    yield printable(f"{source.path}: {len(source):,} faces ({source.shape})")
    yield from ("", *_table(checked), "")
    yield from (printable(remark) for remark in (*source.remarks, *_remarks(checked)))
    if not checked.findings:
        yield "Nothing wrong was found."
        return
    for kind, found in checked.kinds().items():
        yield from _kind(kind, found, len(found) if everything else SHOWN)


def _table(checked: Checked) -> list[str]:
    splits = checked.to_dict()["splits"]
    labels = list(next(iter(splits.values()), {}))
    rows = [["", *labels, "all"]]
    rows += [
        [usage, *(f"{row[label]:,}" for label in labels), f"{sum(row.values()):,}"] for usage, row in splits.items()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def _remarks(checked: Checked) -> Iterator[str]:
    told = checked.to_dict()
    if told["voted"]:
        yield f"FER+ votes were found for {told['voted']:,} faces."
    for usage, count in told["learned_by_heart"].items():
        if count:
            every = sum(told["splits"][usage].values())
            part = percent(count / every)
            yield f"{count:,} of {every:,} {usage} faces ({part}) stand in Training too, pixel by pixel."
    if len(checked.source) > FER2013_OR_SO:
        yield from _five(told["five_classes"])


def _five(five: dict[str, Any]) -> Iterator[str]:
    here = f"{five['here']['training']:,} to train and {five['here']['test']:,} to test"
    yield f"Without disgust and fear there are {here}; the folders on Kaggle have 24,176 and 6,043:"
    yield f"  {five['because']}."


def _kind(kind: str, found: list[Finding], shown: int) -> Iterator[str]:
    yield f"\n{kind}: {len(found):,}"
    yield from (printable(f"  {finding.where}: {finding.reason}") for finding in found[:shown])
    if len(found) > shown:
        yield f"  and {len(found) - shown:,} more (--all shows them)"
