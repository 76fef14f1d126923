"""``mien nets``: the networks that can be trained, their sizes, layers and diagrams."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.apps.cli.console import convert_output_errors, escape_controls, format_columns, print_result, silence_stderr
from mien.apps.cli.options import convert_import_errors, make_png_option, write_png

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
_SET = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the recipe, as in 'mien train'. Repeatable.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(invoke_without_command=True, epilog=EPILOG)
@_SET
@_JSON
@click.option(
    "--diagrams",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write a diagram of each network to DIR.",
)
@click.pass_context
def nets(context: click.Context, settings: tuple[str, ...], as_json: bool, diagrams: Path | None) -> None:
    """List the networks that can be trained.

    Each is built by its built-in recipe. The columns are its parameters and the multiply-adds of one face.
    Needs the extra 'train'.
    """
    if context.invoked_subcommand is not None:
        return
    with convert_import_errors(), silence_stderr():
        from mien.training import network_summary

        networks = list(network_summary.summarize_networks(settings))
    print_result(as_json, [asdict(each) for each in networks], _format_list(networks))
    if diagrams:
        with convert_output_errors(diagrams):
            diagrams.mkdir(parents=True, exist_ok=True)
        for network in networks:
            _write_diagram(network.name, settings, diagrams / f"{network.name}.png")


@nets.command(epilog=SHOW_EPILOG)
@click.argument("name")
@_SET
@_JSON
@make_png_option("Write the diagram to a .png file.", required=False)
def show(name: str, settings: tuple[str, ...], as_json: bool, out: Path | None) -> None:
    """Show the layers of one network.

    NAME is a name from 'mien nets'. Needs the extra 'train'.
    """
    with convert_import_errors(), silence_stderr():
        from mien.training import network_summary

        model = network_summary.build_network(network_summary.network_recipe(name, settings))
        network, layers = network_summary.summarize_network(name, model), list(network_summary.list_layers(model))
    facts = {**asdict(network), "layers": [asdict(layer) for layer in layers]}
    print_result(as_json, facts, _format_layers(network, layers))
    if out:
        _write_diagram(name, settings, out)


def _format_list(networks: Iterable[NetworkSummary]) -> str:
    rows = [("NAME", "PARAMETERS", "MULTIPLY-ADDS", "DESCRIPTION")]
    rows += [
        (each.name, f"{each.parameters:,}", _format_millions(each.multiply_adds), each.description) for each in networks
    ]
    return format_columns(rows, right=(1, 2))


def _format_layers(network: NetworkSummary, layers: Iterable[LayerSummary]) -> str:
    rows = [("LAYER", "KIND", "OUTPUT", "PARAMETERS")]
    rows += [(each.name, each.kind, " x ".join(map(str, each.shape)), f"{each.parameters:,}") for each in layers]
    size = f"{network.parameters:,} parameters, {_format_millions(network.multiply_adds)} multiply-adds per face"
    table = format_columns(rows, right=(3,))
    return f"{escape_controls(network.name)}: {network.description}\n{size}\n\n{table}"


def _format_millions(count: int) -> str:
    return f"{count / 1e6:.1f} M"


def _write_diagram(name: str, settings: tuple[str, ...], out: Path) -> None:
    with convert_import_errors(), silence_stderr():
        from mien.training import network_summary

        content = network_summary.diagram_png(
            network_summary.build_network(network_summary.network_recipe(name, settings))
        )
    write_png(out, content)
