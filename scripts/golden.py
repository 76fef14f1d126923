#!/usr/bin/env python
"""Record the results of mien's public interfaces as JSON files in tests/golden.

``python scripts/golden.py`` writes the files, ``--check`` prints the differences of the current results, with the
tolerances of the test suite, and ``--check --exact`` with a tolerance of 1e-6, for the machine that wrote the files.
Names restrict it to these files. Only public interfaces are imported, so modules may move.
"""

from __future__ import annotations

import argparse
import base64
import dataclasses
import inspect
import io
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click
import numpy as np
from golden_compare import list_differences, list_key_paths, normalise
from PIL import Image

import mien
from mien import Engine, MienError, available_models, compat

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden"
PHOTOS = sorted((ROOT / "examples").glob("*.jpg"))
ASTRONAUT, PORTRAITS = ROOT / "examples" / "astronaut.jpg", ROOT / "examples" / "portraits.jpg"
CLIP = ROOT / "examples" / "clip.webm"
MODELS = ("base", "classic", "small")

Golden = Callable[[Path], Any]
GOLDENS: dict[str, Golden] = {}


def golden(function: Golden) -> Golden:
    """Register a function whose result is the content of the file of the same name; its argument is an empty folder."""
    GOLDENS[function.__name__] = function
    return function


@cache
def load_engine(model: str) -> Engine:
    """One engine for each model, with Haar, which needs no downloaded file."""
    return Engine.load(model, detector="haar")


def run_mien(*arguments: object, status: int = 0) -> str:
    """The output on stdout of a command line, run in this process through the console entry point."""
    from mien.apps.cli import main

    out, errors = io.StringIO(), io.StringIO()
    try:
        with redirect_stdout(out), redirect_stderr(errors):
            main([str(argument) for argument in arguments])
    except SystemExit as system_exit:
        if system_exit.code != status:
            raise RuntimeError(
                f"mien {arguments} ended with status {system_exit.code}: {errors.getvalue()}"
            ) from system_exit
    return out.getvalue()


def parse_csv(text: str) -> dict[str, Any]:
    """A CSV table: its columns, and its rows as lines."""
    header, *rows = text.splitlines()
    return {"columns": header.split(","), "rows": rows}


def synthesize_faces(folder: Path, faces: int) -> Path:
    run_mien("data", "sample", folder / "synthetic", "--faces", faces)
    return folder / "synthetic"


# Recorded values


@golden
def library(folder: Path) -> Any:
    """Readings, scores and votes of each embedded model; several sources, of which two fail."""
    (folder / "text.jpg").write_text("not an image", encoding="utf-8")
    results = list(load_engine("base").read_many([ASTRONAUT, folder / "missing.jpg", folder / "text.jpg", PORTRAITS]))
    return {
        "available": list(available_models()),
        "read": {name: [load_engine(name).read(path).to_dict() for path in PHOTOS] for name in MODELS},
        "read_many": [{"type": type(each).__name__, **each.to_dict()} for each in results],
        "errors": [type(each.error).__name__ for each in results if isinstance(each, mien.Failure)],
        "scored": {name: score_crops(load_engine(name)) for name in MODELS},
        "attributes": {name: describe_engine(load_engine(name)) for name in MODELS},
        "analyze_video": [frame.to_dict() for frame in load_engine("small").analyze_video(CLIP, fps=1, end=2)],
    }


def score_crops(scorer: Engine) -> dict[str, Any]:
    """Scores and votes of face crops of a photo, and of noise."""
    pixels = np.asarray(Image.open(PORTRAITS).convert("RGB"))
    crops = np.stack([scorer.crop(pixels, face) for face in scorer.read(pixels).faces])
    noise = np.random.default_rng(0).integers(0, 256, (2, 48, 48), np.uint8)
    votes = scorer.votes(crops).tolist() if scorer.vote_labels else None
    return {"score": scorer.score(crops).tolist(), "score_noise": scorer.score(noise).tolist(), "votes": votes}


def describe_engine(scorer: Engine) -> dict[str, Any]:
    return {
        "labels": scorer.labels,
        "vote_labels": scorer.vote_labels,
        "detector": scorer.detector,
        "tensors": scorer.layers,
    }


@golden
def cards(folder: Path) -> Any:
    """The cards of the embedded models, and the commands that print them."""
    return {
        "cards": {name: load_engine(name).card.to_dict() for name in MODELS},
        "models --json": json.loads(run_mien("models", "--json")),
        "models show --json": sorted(list_key_paths(json.loads(run_mien("models", "show", "base", "--json")))),
    }


@golden
def predict(folder: Path) -> Any:
    """``mien predict`` on the example photos."""
    lines = run_mien("predict", *PHOTOS, "--json", "--detector", "haar").splitlines()
    return {
        "json": [json.loads(line) for line in lines],
        "csv": parse_csv(run_mien("predict", *PHOTOS, "--csv", "-", "--detector", "haar", "--model", "small")),
    }


@golden
def explanation(folder: Path) -> Any:
    """``explanation.json``, the shapes in ``arrays.npz`` and the names of the files that ``mien explain`` writes."""
    run_mien("explain", ASTRONAUT, "-o", folder / "one", "--method", "cam,occlusion,rise", "--detector", "haar")
    run_mien("explain", PORTRAITS, "-o", folder / "two", "--versus", "fear", "--model", "classic", "--detector", "haar")
    with np.load(folder / "one" / "arrays.npz") as arrays:
        shapes = {name: list(arrays[name].shape) for name in arrays.files}
    return {
        "json": json.loads((folder / "one" / "explanation.json").read_text(encoding="utf-8")),
        "files": list_files(folder / "one"),
        "shapes": [f"{name} {shape}" for name, shape in sorted(shapes.items())],
        "two faces": [explained.to_dict() for explained in load_engine("classic").explain_image(PORTRAITS)],
        "files of two faces": list_files(folder / "two"),
    }


def list_files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@golden
def video(folder: Path) -> Any:
    """The CSV tables, JSON records and subtitles of ``mien video``."""
    names = ("faces.csv", "lines.json", "events.csv", "subtitles.vtt", "report.html")
    outputs = {name: folder / name for name in names}
    options = zip(("--csv", "--json", "--events", "--vtt", "--report"), outputs.values(), strict=True)
    arguments = [argument for option in options for argument in option]
    run_mien("video", CLIP, "--fps", 5, "--detector", "haar", "--raw", *arguments)
    faces, lines, events, subtitles, _ = (path.read_text(encoding="utf-8") for path in outputs.values())
    records = [json.loads(line) for line in lines.splitlines()]
    frames = [each for each in records if each["kind"] == "frame"]
    return {
        "faces.csv": parse_csv(faces),
        "events.csv": parse_csv(events),
        "video": [each for each in records if each["kind"] == "video"],
        "frames": frames[4:5],
        "frame keys": sorted({path for each in frames for path in list_key_paths(each)} - {"mixture"}),
        "events": [each for each in records if each["kind"] == "event"],
        "tracks": [each for each in records if each["kind"] == "track"],
        "subtitles.vtt": {"rows": subtitles.splitlines()},
        "files": list_files(folder),
        "baseline.csv": parse_csv(
            run_mien("video", CLIP, "--fps", 5, "--baseline", "median", "--csv", "-", "--detector", "haar")
        ),
    }


@golden
def service(folder: Path) -> Any:
    """The responses of the web API."""
    from mien.apps.web import create_app

    client = create_app(detector="haar", log="off", port=0).test_client()
    data = ASTRONAUT.read_bytes()

    def post(address: str, body: bytes = data, **more: Any) -> Any:
        return client.post(f"/api/v1/{address}", data=body, content_type="application/octet-stream", **more)

    openapi = client.get("/api/openapi.json").json
    uri = f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
    refusal = post("readings", b"nonsense")
    return {
        "health": client.get("/api/v1/health").json,
        "ready": client.get("/api/v1/ready").json,
        "models": [sorted(list_key_paths(each)) for each in client.get("/api/v1/models").json["models"]],
        "readings": post("readings").json,
        "readings.csv": parse_csv(post("readings", headers={"Accept": "text/csv"}).text),
        "explanations": post("explanations?methods=cam,occlusion").json,
        "activations": post("activations?model=small").json,
        "analyze": client.post("/analyze", json={"img": uri}).json,
        "refused": {"status": refusal.status_code, "type": refusal.content_type, "body": refusal.json},
        "unknown": client.get("/api/v1/nothing").status_code,
        "metrics": sorted(set(re.findall(r"^# TYPE (.+)", client.get("/api/v1/metrics").text, re.MULTILINE))),
        "operations": sorted(f"{verb} {path}" for path, item in openapi["paths"].items() for verb in item),
        "schemas": sorted(list_key_paths(openapi["components"]["schemas"])),
        "videos": run_video_job(client, post),
    }


def run_video_job(client: Any, post: Callable[..., Any]) -> dict[str, Any]:
    """A video job of the web app: its first and last state, and its tables."""
    first = post("videos?fps=5", CLIP.read_bytes()).json
    address, deadline = first["links"]["self"], time.monotonic() + 60
    while (state := client.get(address).json)["state"] in ("waiting", "reading", "running"):
        if time.monotonic() > deadline:
            raise RuntimeError(f"The video was not analysed within a minute: {state}")
        time.sleep(0.05)
    tables = {}
    for name in ("faces.csv", "events.csv"):
        with client.get(f"{address}/{name}") as response:
            tables[name] = parse_csv(response.text)
    return {"first": first, "last": state, "tables": tables, "deleted": client.delete(address).status_code}


@golden
def evaluation(folder: Path) -> Any:
    """``mien evaluate`` and ``mien compare`` of embedded models on synthetic faces."""
    faces, out = synthesize_faces(folder, 700), folder / "evaluation"
    run_mien("evaluate", "--model", "small", "--data", faces, "-o", out)
    predictions = parse_csv((out / "predictions.csv").read_text(encoding="utf-8"))
    return {
        "metrics": json.loads((out / "metrics.json").read_text(encoding="utf-8")),
        "predictions": {"columns": predictions["columns"], "rows": predictions["rows"][:20]},
        "files": list_files(out),
        "compare": json.loads(run_mien("compare", out, "classic", "--data", faces, "--json")),
    }


@golden
def data(folder: Path) -> Any:
    """``mien data check`` and ``mien data report`` on synthetic faces, and a check with one damaged row."""
    faces = synthesize_faces(folder, 140)
    run_mien("data", "report", faces, "-o", folder / "report")
    report = json.loads((folder / "report" / "report.json").read_text(encoding="utf-8"))
    with (faces / "synthetic.csv").open("a", encoding="utf-8") as file:
        file.write("9,1 2 3,Training\n")
    checked = json.loads(run_mien("data", "check", faces, "--json"))
    return {"check": checked, "report": report, "files": list_files(folder)}


@golden
def robustness(folder: Path) -> Any:
    """``mien robustness`` on synthetic faces."""
    faces = synthesize_faces(folder, 140)
    return json.loads(run_mien("robustness", "--model", "classic", "--data", faces, "-o", folder / "out", "--json"))


@golden
def audit(folder: Path) -> Any:
    """``mien audit`` of two maps on a few synthetic faces."""
    faces = synthesize_faces(folder, 140)
    options = ("--methods", "cam,occlusion", "-n", 3, "--json", "-o", folder / "out")
    return json.loads(run_mien("audit", "--model", "base", "--data", faces, *options))


@golden
def other_libraries(folder: Path) -> Any:
    """Results in the formats of DeepFace and fer."""
    fer, pixels = compat.FER(engine=load_engine("base")), np.asarray(Image.open(PORTRAITS).convert("RGB"))[..., ::-1]
    return {
        "analyze": compat.analyze(str(PORTRAITS)),
        "analyze whole": compat.analyze(str(ASTRONAUT), detector_backend="skip"),
        "detect_emotions": fer.detect_emotions(pixels),
        "find_faces": fer.find_faces(pixels),
        "top_emotion": dict(zip(("emotion", "score"), fer.top_emotion(str(ASTRONAUT)), strict=True)),
        "names": list_members(compat),
    }


@golden
def surface(folder: Path) -> Any:
    """Public names with their parameters, and commands with their options."""
    errors = [kind for kind in list_subclasses(MienError) if kind.__module__ == MienError.__module__]
    return {
        "names": sorted(mien.__all__),
        "members": {name: list_members(getattr(mien, name)) for name in mien.__all__},
        "errors": sorted({kind.__name__ for kind in errors}),
        "commands": dict(list_commands()),
        "doctor --json": sorted(list_key_paths(json.loads(run_mien("doctor", "--json")))),
    }


def list_subclasses(kind: type) -> Iterator[type]:
    yield kind
    for each in kind.__subclasses__():
        yield from list_subclasses(each)


def list_members(owner: Any) -> list[str]:
    """Public attributes of a class, functions and classes of a module, or parameters of a function."""
    if inspect.isfunction(owner):
        return [f"({format_parameters(owner)})"]
    names = {name for name in dir(owner) if not name.startswith("_") and name not in dir(BaseException)}
    if inspect.ismodule(owner):
        names = {name for name in names if getattr(getattr(owner, name), "__module__", "") == owner.__name__}
    elif dataclasses.is_dataclass(owner):
        names |= {each.name for each in dataclasses.fields(owner)}
    members = {name: getattr(owner, name, None) for name in names}
    lines = [
        f"{name}({format_parameters(value)})" if callable(value) else name for name, value in sorted(members.items())
    ]
    return [f"({format_parameters(owner)})", *lines] if inspect.isclass(owner) else lines


def format_parameters(function: Any) -> str:
    """The names of its parameters with their defaults, without annotations."""
    signature = inspect.signature(function).parameters.values()
    return ", ".join(str(each.replace(annotation=inspect.Parameter.empty)) for each in signature)


def list_commands() -> Iterator[tuple[str, Any]]:
    """Each command path with its options, and the choices or the type of each option."""
    roots: list[click.Command] = []

    def record_command(command: click.Command, context: click.Context) -> str:
        roots.append(command)
        return ""

    with patch.object(click.Command, "get_help", record_command):
        run_mien("--help")
    yield from list_options(click.Context(roots[0], info_name="mien", **roots[0].context_settings))


def list_options(context: click.Context) -> Iterator[tuple[str, Any]]:
    options = [each for each in context.command.get_params(context) if isinstance(each, click.Option)]
    # click remembers the help option of the first call, with the names of that call's context.
    options = [each for each in options if "--help" not in each.opts]
    yield (
        context.command_path,
        {
            "/".join([*each.opts, *each.secondary_opts]): list(each.type.choices)
            if isinstance(each.type, click.Choice)
            else each.type.name
            for each in options
        },
    )
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            if command is not None:
                yield from list_options(click.Context(command, info_name=name, parent=context))


def compute(name: str, folder: Path) -> Any:
    """The current value of one golden file, independent of the settings and files of the user."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MIEN_")}
    (folder / "home").mkdir()
    (folder / "work").mkdir()
    with patch.dict(os.environ, {**environment, "MIEN_HOME": str(folder / "home")}, clear=True):
        value = normalise(GOLDENS[name](folder / "work"), folder / "work")
    return json.loads(json.dumps(value))


# Command line


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", choices=[[], *GOLDENS], help="only these files")
    parser.add_argument("--check", action="store_true", help="print the differences, and write nothing")
    parser.add_argument("--exact", action="store_true", help="compare numbers with a tolerance of 1e-6")
    options = parser.parse_args()
    status = 0
    for name in options.names or GOLDENS:
        start = time.perf_counter()
        try:
            with tempfile.TemporaryDirectory() as folder:
                actual = compute(name, Path(folder).resolve())
        except RuntimeError as error:
            status = 1
            sys.stdout.write(f"{name}: {error}\n")
            continue
        path, seconds = GOLDEN / f"{name}.json", time.perf_counter() - start
        if options.check:
            lines = list_differences(name, json.loads(path.read_text(encoding="utf-8")), actual, options.exact)
            status |= bool(lines)
            sys.stdout.write("".join(f"{line}\n" for line in lines))
            sys.stdout.write(f"{name}: {len(lines)} differences ({seconds:.1f} s)\n")
        else:
            GOLDEN.mkdir(exist_ok=True)
            text = json.dumps(actual, indent=1, sort_keys=True, ensure_ascii=False)
            path.write_text(text + "\n", encoding="utf-8")
            sys.stdout.write(f"{path.relative_to(ROOT)}: {len(text) / 1000:.1f} kB ({seconds:.1f} s)\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
