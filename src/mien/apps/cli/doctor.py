"""``mien doctor``: what is here, what is missing, and the command that mends it."""

from __future__ import annotations

import json
import platform
from typing import TYPE_CHECKING

import click

from mien._version import __version__
from mien.apps.cli.output import printable, say
from mien.apps.cli.reader import LoadEngine

if TYPE_CHECKING:
    from mien.apps.cli.checkup import Finding

EPILOG = """\b
Examples:
  mien doctor
  mien doctor --json

\b
Exit status: 0, unless something that reading needs is broken; then 1.
"""


@click.command(epilog=EPILOG)
@click.option("--json", "as_json", is_flag=True, help="The findings as one line of JSON.")
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Check this installation, and say how to mend it.

    Versions, models, detectors, cameras, extras and speed are looked at. No camera is opened and nothing is fetched.
    """
    from mien.apps.cli.checkup import checkup

    load: LoadEngine = context.obj
    findings = list(checkup(load))
    ok = not any(finding.state == "broken" for finding in findings)
    say(_json(findings, ok) if as_json else _text(findings, ok))
    context.exit(0 if ok else 1)


def _about() -> dict[str, str]:
    return {
        "mien": __version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }


def _json(findings: list[Finding], ok: bool) -> str:
    return json.dumps({**_about(), "ok": ok, "findings": [finding._asdict() for finding in findings]})


def _text(findings: list[Finding], ok: bool) -> str:
    head = ", ".join(f"{name} {version}" for name, version in _about().items())
    names = max(len(finding.name) for finding in findings)
    return "\n".join([head, "", *(_line(finding, names) for finding in findings), "", _verdict(findings, ok)])


def _line(finding: Finding, names: int) -> str:
    remedy = f"  ->  {finding.remedy}" if finding.remedy else ""
    told = f"  {finding.state:8} {finding.topic:9} {finding.name:{names}}  {finding.detail}"
    return printable(told.rstrip() + remedy)


def _verdict(findings: list[Finding], ok: bool) -> str:
    if not ok:
        return "Something that reading needs is broken: see the lines above."
    missing = sum(finding.state == "missing" for finding in findings)
    optional = f" {missing} optional things are missing; the commands beside them bring them." if missing else ""
    return f"Everything that reading needs is here.{optional}"
