"""``mien doctor``: what is installed, what is missing or broken, and the command that repairs it."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from mien._version import __version__
from mien.apps.cli.console import escape_controls, print_line
from mien.errors import MienError, install_command

if TYPE_CHECKING:
    from mien.apps.session.engines import EngineLoader
    from mien.results import Pixels

#: The packages of the base installation: the module, and the distribution that has its version.
BASE = {
    "numpy": "numpy",
    "cv2": "opencv-python-headless",
    "onnxruntime": "onnxruntime",
    "PIL": "pillow",
    "click": "click",
    "rich": "rich",
}

#: The modules that show whether an extra is installed.
EXTRAS = {
    "lab": ("matplotlib", "sklearn", "pandas", "onnx", "filelock"),
    "train": ("keras", "tensorflow", "tf2onnx"),
    "web": ("flask", "waitress", "filelock", "prometheus_client"),
    "desktop": ("tkinter", "tkinterdnd2"),
    "gradio": ("gradio",),
    "streamlit": ("streamlit",),
    "video": ("av",),
}

EPILOG = """\b
Examples:
  mien doctor
  mien doctor --json

\b
Exit status: 0; 1 if something that reading needs is broken.
"""


class Check(NamedTuple):
    """The result of one check. ``state`` is ok, missing (reading works without it) or broken (it does not)."""

    state: str
    topic: str
    name: str
    detail: str = ""
    remedy: str = ""


@click.command(epilog=EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one line of JSON.")
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Check this installation, and name the command that repairs it.

    Checks versions, models, detectors, cameras, extras and speed. No camera is opened and nothing is downloaded.
    """
    checks = list(run_checks(context.obj))
    ok = not any(check.state == "broken" for check in checks)
    system = {
        "mien": __version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }
    if as_json:
        print_line(json.dumps({**system, "ok": ok, "findings": [check._asdict() for check in checks]}))
    else:
        print_line(", ".join(f"{name} {value}" for name, value in system.items()) + "\n")
        _print_checks(checks, ok)
    context.exit(0 if ok else 1)


def _print_checks(checks: Sequence[Check], ok: bool) -> None:
    width = max(len(check.name) for check in checks)
    for check in checks:
        line = f"  {check.state:8} {check.topic:9} {check.name:{width}}  {check.detail}".rstrip()
        print_line(escape_controls(f"{line}  ->  {check.remedy}" if check.remedy else line))
    missing = sum(check.state == "missing" for check in checks)
    optional = f" {missing} optional parts are missing; the commands beside them install them." if missing else ""
    verdict = f"Everything that reading needs is installed.{optional}"
    print_line("\n" + (verdict if ok else "Something that reading needs is broken: see the lines above."))


def run_checks(load: EngineLoader) -> Iterator[Check]:
    """All checks, in the order in which one depends on another. Broken packages end them."""
    packages = list(_check_packages())
    yield from packages
    if any(check.state == "broken" for check in packages):
        return
    yield from _check_providers()
    yield from _check_files()
    yield from _measure_speed(load)
    yield from check_cameras()
    yield from _check_extras()


def _check_packages() -> Iterator[Check]:
    import_module("mien.models")  # before ONNX Runtime: it turns ONNX Runtime's telemetry off
    for module, distribution in BASE.items():
        try:
            package = import_module(module)
        except ImportError as error:
            yield Check("broken", "package", distribution, str(error), install_command())
            continue
        try:
            number = version(distribution)
        except PackageNotFoundError:  # another distribution has the module, such as opencv-python
            number = str(getattr(package, "__version__", "version unknown"))
        yield Check("ok", "package", distribution, number)


def _check_providers() -> Iterator[Check]:
    import onnxruntime

    for provider in onnxruntime.get_available_providers():
        name = provider.removesuffix("ExecutionProvider")
        yield Check("ok", "provider", name, "runs the models" if name == "CPU" else "available, not used by mien")


def _check_files() -> Iterator[Check]:
    from mien.apps.cli.models import format_megabytes, list_models
    from mien.faces.detectors import detector_names
    from mien.models import cache_folder
    from mien.models.checksums import PUBLISHED_FILES

    try:
        for row in list_models():
            if row.state.startswith("broken"):
                yield Check("broken", row.kind, row.name, row.state)
            elif row.state.startswith("not downloaded"):
                yield Check("missing", row.kind, row.name, "not downloaded", f"mien models pull {row.name}")
            else:
                detail = f"{row.state}, {format_megabytes(row.size)}; {row.description}"
                yield Check("ok", row.kind, row.name, detail)
    except MienError as error:
        yield _describe_failure("model", "table", error)
    for name in detector_names():
        if name != "auto" and name not in PUBLISHED_FILES:
            yield Check("ok", "detector", name, "needs no file")
    yield Check("ok", "folder", "MIEN_HOME" if os.environ.get("MIEN_HOME") else "cache", str(cache_folder()))


def _describe_failure(topic: str, name: str, error: MienError) -> Check:
    return Check("broken", topic, name, str(MienError(error.happened, error.expected)), error.remedy)


def _measure_speed(load: EngineLoader) -> Iterator[Check]:
    """Read a synthetic image with every installed detector: a test of the whole chain, and its time."""
    from mien.models import find_model_file

    image = _draw_face()
    for detector in ("haar", "yunet", "none"):
        try:
            if detector == "yunet" and find_model_file("yunet") is None:
                continue
            engine, times = load(model="base", detector=detector), []
            for _ in range(4):
                start = time.perf_counter()
                engine.read(image)
                times.append(time.perf_counter() - start)
            milliseconds = 1000 * min(times[1:])  # the first is a warm-up
            yield Check("ok", "timing", detector, f"{milliseconds:.0f} ms for 640 x 480")
        except MienError as error:
            yield _describe_failure("timing", detector, error)


def _draw_face() -> Pixels:
    """A round face with two eyes and a mouth on a bright background: RGB uint8, 640 x 480."""
    import numpy as np

    y, x = np.mgrid[:480, :640]
    image = 150 + x // 8
    ellipses = ((320, 240, 90, 120, 200), (285, 215, 14, 8, 60), (355, 215, 14, 8, 60))
    for center_x, center_y, radius_x, radius_y, gray in ellipses:
        image[((x - center_x) / radius_x) ** 2 + ((y - center_y) / radius_y) ** 2 < 1] = gray
    image[(abs(x - 320) < 35) & (abs(y - 300) < 7)] = 90
    return np.repeat(image[..., None], 3, axis=2).astype(np.uint8)


def check_cameras(devices: Path = Path("/sys/class/video4linux")) -> Iterator[Check]:
    """The cameras that the system lists. None is opened: only the person in front of it may allow that."""
    if not devices.is_dir():
        yield Check("ok", "camera", "none listed", "mien opens a camera only on request")
        return
    for device in sorted(devices.iterdir()):
        try:
            name = (device / "name").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            name = ""
        yield Check("ok", "camera", f"/dev/{device.name}", name)


def _check_extras() -> Iterator[Check]:
    for extra, modules in EXTRAS.items():
        absent = [module for module in modules if find_spec(module) is None]
        if absent:
            yield Check("missing", "extra", extra, f"without {', '.join(absent)}", install_command(extra))
        else:
            yield Check("ok", "extra", extra, "installed")
