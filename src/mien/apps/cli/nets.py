"""``mien nets``: the networks that can be trained, how large they are, and what each is made of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.apps.cli.console import escape_controls, print_line, silence_stderr
from mien.apps.cli.dataset_options import convert_import_errors, convert_output_errors

if TYPE_CHECKING:
    from mien.training.network_summary import LayerSummary, NetworkSummary

EPILOG = """\b
Examples:
  mien nets
  mien nets show basic
  mien nets show residual --set net.width=20 -o residual.png
"""
SHOW_EPILOG = """\b
Examples:
  mien nets show basic
  mien nets show vgg --set net.width=16 --set net.depth=1,1,2 -o vgg.png
"""
_CHANGED = "One setting of its recipe, as in 'mien train'. Again: more."
_SET = click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help=_CHANGED)
_JSON = click.option("--json", "as_json", is_flag=True, help="As JSON.")


@click.group(invoke_without_command=True, epilog=EPILOG)
@_SET
@_JSON
@click.option("--diagrams", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Draw each into DIR.")
@click.pass_context
def nets(context: click.Context, settings: tuple[str, ...], as_json: bool, diagrams: Path | None) -> None:
    """List the networks that can be trained.

    Each as its usual recipe builds it, with what it costs: parameters, and multiplications with an addition
    for one face. Needs the extra 'train'.
    """
    if context.invoked_subcommand is not None:
        return
    with convert_import_errors(), silence_stderr():
        from mien.training import network_summary

        found = list(network_summary.summarize_networks(settings))
    print_line(json.dumps([asdict(each) for each in found], ensure_ascii=False) if as_json else _list(found))
    if diagrams:
        _draw_all([each.name for each in found], settings, diagrams)


@nets.command(epilog=SHOW_EPILOG)
@click.argument("name")
@_SET
@_JSON
@click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False), help="The diagram, a .png file.")
def show(name: str, settings: tuple[str, ...], as_json: bool, out: Path | None) -> None:
    """Show the layers of one network, and draw them.

    NAME is a name from 'mien nets'. Needs the extra 'train'.
    """
    if out and out.suffix.lower() != ".png":
        raise click.BadParameter(f"'{out}' does not end in .png", param_hint="--out")
    with convert_import_errors(), silence_stderr():
        from mien.training import network_summary

        built = network_summary.build_network(network_summary.network_recipe(name, settings))
        entry, layers = network_summary.summarize_network(name, built), list(network_summary.list_layers(built))
    facts = {**asdict(entry), "layers": [asdict(layer) for layer in layers]}
    print_line(json.dumps(facts, ensure_ascii=False) if as_json else _told(entry, layers))
    if out:
        _draw(name, settings, out)


def _list(found: Iterable[NetworkSummary]) -> str:
    rows = [("NAME", "PARAMETERS", "MULTIPLY-ADDS", "WHAT IT IS")]
    rows += [(each.name, f"{each.parameters:,}", _millions(each.multiply_adds), each.about) for each in found]
    return _columns(rows, right=(1, 2))


def _told(entry: NetworkSummary, layers: Iterable[LayerSummary]) -> str:
    rows = [("LAYER", "KIND", "GIVES", "PARAMETERS")]
    rows += [(each.name, each.kind, _shape(each.shape), f"{each.parameters:,}") for each in layers]
    size = f"{entry.parameters:,} parameters, {_millions(entry.multiply_adds)} multiply-adds a face"
    return f"{escape_controls(entry.name)}: {entry.about}\n{size}\n\n{_columns(rows, right=(3,))}"


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _millions(count: int) -> str:
    return f"{count / 1e6:.1f} M"


def _columns(rows: Sequence[Sequence[str]], right: tuple[int, ...]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(escape_controls(_row(row, widths, right)) for row in rows)


def _row(cells: Sequence[str], widths: Sequence[int], right: tuple[int, ...]) -> str:
    fitted = [
        cell.rjust(width) if place in right else cell.ljust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(fitted).rstrip()


def _draw_all(names: Iterable[str], settings: tuple[str, ...], folder: Path) -> None:
    with convert_output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        _draw(name, settings, folder / f"{name}.png")


def _draw(name: str, settings: tuple[str, ...], out: Path) -> None:
    with convert_import_errors(), silence_stderr():
        from mien.training import network_summary

        content = network_summary.diagram_png(network_summary.build_network(network_summary.network_recipe(name, settings)))
    with convert_output_errors(out):
        out.write_bytes(content)
    print_line(escape_controls(str(out)))
