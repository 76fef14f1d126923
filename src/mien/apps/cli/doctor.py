"""The checks of ``mien doctor``, each a few findings."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from mien._version import __version__
from mien.apps.cli.console import escape_controls, print_line
from mien.apps.cli.options import LoadEngine
from mien.errors import MienError, install_command

if TYPE_CHECKING:
    from mien.apps.cli.models import ModelRow
    from mien.results import Pixels


#: What the base install brings: the module, and the distribution that tells its version.
BASE = {
    "numpy": "numpy",
    "cv2": "opencv-python-headless",
    "onnxruntime": "onnxruntime",
    "PIL": "pillow",
    "click": "click",
    "rich": "rich",
}

#: The modules by which an extra is recognised.
EXTRAS = {
    "lab": ("matplotlib", "sklearn", "pandas", "onnx", "filelock"),
    "train": ("keras", "tensorflow", "tf2onnx"),
    "web": ("flask", "waitress", "filelock", "prometheus_client"),
    "desktop": ("tkinter", "tkinterdnd2"),
    "gradio": ("gradio",),
    "streamlit": ("streamlit",),
    "video": ("av",),
}


class Check(NamedTuple):
    """``state`` is ok, missing (mien reads without it) or broken (it does not)."""

    state: str
    topic: str
    name: str
    detail: str = ""
    remedy: str = ""


def run_checks(load: LoadEngine) -> Iterator[Check]:
    """Everything there is to find, in the order in which one thing needs another."""
    packages = list(_packages())
    yield from packages
    if any(finding.state == "broken" for finding in packages):
        return
    yield from _providers()
    yield from _files()
    yield from _timings(load)
    yield from check_cameras()
    yield from _extras()


def _packages() -> Iterator[Check]:
    # Before ONNX Runtime, which it keeps from telling its makers.
    import_module("mien.models")
    for module, distribution in BASE.items():
        try:
            found = import_module(module)
        except ImportError as error:
            yield Check("broken", "package", distribution, str(error), install_command())
            continue
        try:
            number = version(distribution)
        except PackageNotFoundError:  # another distribution brings the module, such as opencv-python
            number = str(getattr(found, "__version__", "version unknown"))
        yield Check("ok", "package", distribution, number)


def _providers() -> Iterator[Check]:
    import onnxruntime

    for provider in onnxruntime.get_available_providers():
        name = provider.removesuffix("ExecutionProvider")
        yield Check("ok", "provider", name, "runs the models" if name == "CPU" else "offered, and not used by mien")


def _files() -> Iterator[Check]:
    from mien.apps.cli.models import list_models
    from mien.models import cache_folder

    try:
        lines = list_models()
    except MienError as error:
        yield _broken("model", "table", error)
        lines = []
    yield from (_file(line) for line in lines)
    yield from _detectors()
    yield Check("ok", "folder", "MIEN_HOME" if os.environ.get("MIEN_HOME") else "cache", str(cache_folder()))


def _file(line: ModelRow) -> Check:
    from mien.apps.cli.models import format_megabytes

    if line.state.startswith("broken"):
        return Check("broken", line.kind, line.name, line.state)
    if line.state.startswith("not fetched"):
        return Check("missing", line.kind, line.name, "not fetched", f"mien models pull {line.name}")
    return Check("ok", line.kind, line.name, f"{line.state}, {format_megabytes(line.size)}; {line.description}")


def _detectors() -> Iterator[Check]:
    """The detectors that need no file of ours: haar, none, and those that other packages bring."""
    from mien.faces.detectors import detector_names
    from mien.models.checksums import PUBLISHED_FILES

    for name in detector_names():
        if name != "auto" and name not in PUBLISHED_FILES:
            yield Check("ok", "detector", name, "needs no file")


def _broken(topic: str, name: str, error: MienError) -> Check:
    return Check("broken", topic, name, str(MienError(error.happened, error.expected)), error.remedy)


def _timings(load: LoadEngine) -> Iterator[Check]:
    """One reading with every built-in detector that is here, which proves the whole chain, and its time."""
    from mien.models import find_model_file

    for detector in ("haar", "yunet", "none"):
        try:
            if detector == "yunet" and find_model_file("yunet") is None:
                continue
            yield Check("ok", "timing", detector, f"{_milliseconds(load, detector):.0f} ms for 640 x 480")
        except MienError as error:
            yield _broken("timing", detector, error)


def _milliseconds(load: LoadEngine, detector: str) -> float:
    """The best of three, after one that warms up."""
    engine, picture, times = load(model="base", detector=detector), _drawn(), []
    for _ in range(4):
        start = time.perf_counter()
        engine.read(picture)
        times.append(time.perf_counter() - start)
    return 1000 * min(times[1:])


def _drawn() -> Pixels:
    """A round face on a bright wall, 640 x 480: two eyes and a mouth that belong to nobody."""
    import numpy as np

    y, x = np.mgrid[:480, :640]
    picture = 150 + x // 8
    for across, down, width, height, gray in ((320, 240, 90, 120, 200), (285, 215, 14, 8, 60), (355, 215, 14, 8, 60)):
        picture[((x - across) / width) ** 2 + ((y - down) / height) ** 2 < 1] = gray
    picture[(abs(x - 320) < 35) & (abs(y - 300) < 7)] = 90
    return np.repeat(picture[..., None], 3, axis=2).astype(np.uint8)


def check_cameras(devices: Path = Path("/sys/class/video4linux")) -> Iterator[Check]:
    """What the system lists as cameras. None is opened: that is for the person in front of it to allow."""
    if not devices.is_dir():
        yield Check("ok", "camera", "none listed", "mien opens a camera only when asked")
        return
    for device in sorted(devices.iterdir()):
        yield Check("ok", "camera", f"/dev/{device.name}", _camera_name(device))


def _camera_name(device: Path) -> str:
    try:
        return (device / "name").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _extras() -> Iterator[Check]:
    for extra, modules in EXTRAS.items():
        absent = [module for module in modules if find_spec(module) is None]
        if absent:
            yield Check("missing", "extra", extra, f"without {', '.join(absent)}", install_command(extra))
        else:
            yield Check("ok", "extra", extra, "installed")


# ==== mien.apps.cli.doctor
# ``mien doctor``: what is here, what is missing, and the command that mends it.

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
    pass

    load: LoadEngine = context.obj
    findings = list(run_checks(load))
    ok = not any(finding.state == "broken" for finding in findings)
    print_line(_json(findings, ok) if as_json else _text(findings, ok))
    context.exit(0 if ok else 1)


def _about() -> dict[str, str]:
    return {
        "mien": __version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }


def _json(findings: list[Check], ok: bool) -> str:
    return json.dumps({**_about(), "ok": ok, "findings": [finding._asdict() for finding in findings]})


def _text(findings: list[Check], ok: bool) -> str:
    head = ", ".join(f"{name} {version}" for name, version in _about().items())
    names = max(len(finding.name) for finding in findings)
    return "\n".join([head, "", *(_line(finding, names) for finding in findings), "", _verdict(findings, ok)])


def _line(finding: Check, names: int) -> str:
    remedy = f"  ->  {finding.remedy}" if finding.remedy else ""
    told = f"  {finding.state:8} {finding.topic:9} {finding.name:{names}}  {finding.detail}"
    return escape_controls(told.rstrip() + remedy)


def _verdict(findings: list[Check], ok: bool) -> str:
    if not ok:
        return "Something that reading needs is broken: see the lines above."
    missing = sum(finding.state == "missing" for finding in findings)
    optional = f" {missing} optional things are missing; the commands beside them bring them." if missing else ""
    return f"Everything that reading needs is here.{optional}"
