#!/usr/bin/env python
"""Record what mien answers through its public surface, as JSON files in tests/golden.

``python scripts/golden.py`` writes the files, ``--check`` prints where today's answers differ from them, with the
tolerances of the test suite, and ``--check --exact`` with a tolerance of 1e-6, for the machine that wrote the files.
Names after the options restrict it to those files. Nothing internal is imported: modules may move.
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
from golden_compare import differences, key_paths, normalised
from PIL import Image

import mien
from mien import Engine, MienError, available_models, compat

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden"
PICTURES = sorted((ROOT / "examples").glob("*.jpg"))
ASTRONAUT, PORTRAITS = ROOT / "examples" / "astronaut.jpg", ROOT / "examples" / "portraits.jpg"
CLIP = ROOT / "examples" / "clip.webm"
MODELS = ("base", "classic", "small")

Golden = Callable[[Path], Any]
GOLDENS: dict[str, Golden] = {}


def golden(function: Golden) -> Golden:
    """Register a function whose result becomes the file of the same name; it gets an empty folder."""
    GOLDENS[function.__name__] = function
    return function


@cache
def engine(model: str) -> Engine:
    """One engine for each model, with the detector that needs no file."""
    return Engine.load(model, detector="haar")


def run(*arguments: object, status: int = 0) -> str:
    """What one command line prints on stdout, run in this process through the console entry point."""
    from mien.apps.cli import main

    out, errors = io.StringIO(), io.StringIO()
    try:
        with redirect_stdout(out), redirect_stderr(errors):
            main([str(argument) for argument in arguments])
    except SystemExit as leaving:
        if leaving.code != status:
            raise RuntimeError(f"mien {arguments} left with {leaving.code}: {errors.getvalue()}") from leaving
    return out.getvalue()


def table(text: str) -> dict[str, Any]:
    """A CSV table: its columns, and its rows as lines."""
    first, *rows = text.splitlines()
    return {"columns": first.split(","), "rows": rows}


def synthesize_faces(folder: Path, faces: int) -> Path:
    run("data", "sample", folder / "drawn", "--faces", faces)
    return folder / "drawn"


# What is recorded


@golden
def library(folder: Path) -> Any:
    """Readings, shares and votes of each embedded model; many sources with failures among them."""
    (folder / "text.jpg").write_text("no picture", encoding="utf-8")
    many = list(engine("base").read_many([ASTRONAUT, folder / "missing.jpg", folder / "text.jpg", PORTRAITS]))
    return {
        "available": list(available_models()),
        "read": {name: [engine(name).read(path).to_dict() for path in PICTURES] for name in MODELS},
        "read_many": [{"type": type(each).__name__, **each.to_dict()} for each in many],
        "errors": [type(each.error).__name__ for each in many if isinstance(each, mien.Failure)],
        "scored": {name: scored_crops(engine(name)) for name in MODELS},
        "attributes": {name: attributes(engine(name)) for name in MODELS},
        "analyze_video": [moment.to_dict() for moment in engine("small").analyze_video(CLIP, fps=1, end=2)],
    }


def scored_crops(own: Engine) -> dict[str, Any]:
    """Shares and votes for the faces of a picture, cut out by the engine, and for noise."""
    pixels = np.asarray(Image.open(PORTRAITS).convert("RGB"))
    crops = np.stack([own.crop(pixels, face) for face in own.read(pixels).faces])
    noise = np.random.default_rng(0).integers(0, 256, (2, 48, 48), np.uint8)
    answers = {"score": own.score(crops).tolist(), "score_noise": own.score(noise).tolist()}
    return {**answers, "votes": own.votes(crops).tolist() if own.vote_labels else None}


def attributes(own: Engine) -> dict[str, Any]:
    return {"labels": own.labels, "vote_labels": own.vote_labels, "detector": own.detector, "tensors": own.layers}


@golden
def cards(folder: Path) -> Any:
    """The cards of the embedded models, and the commands that show them."""
    return {
        "cards": {name: engine(name).card.to_dict() for name in MODELS},
        "models --json": json.loads(run("models", "--json")),
        "models show --json": sorted(key_paths(json.loads(run("models", "show", "base", "--json")))),
    }


@golden
def predict(folder: Path) -> Any:
    """``mien predict`` on the example pictures."""
    lines = run("predict", *PICTURES, "--json", "--detector", "haar").splitlines()
    return {
        "json": [json.loads(line) for line in lines],
        "csv": table(run("predict", *PICTURES, "--csv", "-", "--detector", "haar", "--model", "small")),
    }


@golden
def explanation(folder: Path) -> Any:
    """``explanation.json``, the shapes in ``arrays.npz`` and the names of all files that ``mien explain`` writes."""
    run("explain", ASTRONAUT, "-o", folder / "one", "--method", "cam,occlusion,rise", "--detector", "haar")
    run("explain", PORTRAITS, "-o", folder / "two", "--versus", "fear", "--model", "classic", "--detector", "haar")
    with np.load(folder / "one" / "arrays.npz") as arrays:
        shapes = {name: list(arrays[name].shape) for name in arrays.files}
    return {
        "json": json.loads((folder / "one" / "explanation.json").read_text(encoding="utf-8")),
        "files": file_names(folder / "one"),
        "shapes": [f"{name} {shape}" for name, shape in sorted(shapes.items())],
        "two faces": [explained.to_dict() for explained in engine("classic").explain_image(PORTRAITS)],
        "files of two faces": file_names(folder / "two"),
    }


def file_names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@golden
def video(folder: Path) -> Any:
    """The tables, lines and subtitles of ``mien video``."""
    names = ("faces.csv", "lines.json", "events.csv", "subtitles.vtt", "report.html")
    outputs = {name: folder / name for name in names}
    options = zip(("--csv", "--json", "--events", "--vtt", "--report"), outputs.values(), strict=True)
    words = [word for option in options for word in option]
    run("video", CLIP, "--fps", 5, "--detector", "haar", "--raw", *words)
    faces, lines, happened, subtitles, _ = (path.read_text(encoding="utf-8") for path in outputs.values())
    records = [json.loads(line) for line in lines.splitlines()]
    frames = [each for each in records if each["kind"] == "frame"]
    return {
        "faces.csv": table(faces),
        "events.csv": table(happened),
        "video": [each for each in records if each["kind"] == "video"],
        "frames": frames[4:5],
        "frame keys": sorted({path for each in frames for path in key_paths(each)} - {"mixture"}),
        "events": [each for each in records if each["kind"] == "event"],
        "tracks": [each for each in records if each["kind"] == "track"],
        "subtitles.vtt": {"rows": subtitles.splitlines()},
        "files": file_names(folder),
        "baseline.csv": table(
            run("video", CLIP, "--fps", 5, "--baseline", "median", "--csv", "-", "--detector", "haar")
        ),
    }


@golden
def service(folder: Path) -> Any:
    """What the web app answers under ``/api``."""
    from mien.apps.web import create_app

    client = create_app(detector="haar", log="off", port=0).test_client()
    data = ASTRONAUT.read_bytes()

    def post(address: str, body: bytes = data, **more: Any) -> Any:
        return client.post(f"/api/v1/{address}", data=body, content_type="application/octet-stream", **more)

    described = client.get("/api/openapi.json").json
    uri = f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
    refused = post("readings", b"nonsense")
    return {
        "health": client.get("/api/v1/health").json,
        "ready": client.get("/api/v1/ready").json,
        "models": [sorted(key_paths(each)) for each in client.get("/api/v1/models").json["models"]],
        "readings": post("readings").json,
        "readings.csv": table(post("readings", headers={"Accept": "text/csv"}).text),
        "explanations": post("explanations?methods=cam,occlusion").json,
        "activations": post("activations?model=small").json,
        "analyze": client.post("/analyze", json={"img": uri}).json,
        "refused": {"status": refused.status_code, "type": refused.content_type, "body": refused.json},
        "unknown": client.get("/api/v1/nothing").status_code,
        "metrics": sorted(set(re.findall(r"^# TYPE (.+)", client.get("/api/v1/metrics").text, re.MULTILINE))),
        "operations": sorted(f"{verb} {path}" for path, item in described["paths"].items() for verb in item),
        "schemas": sorted(key_paths(described["components"]["schemas"])),
        "videos": film_job(client, post),
    }


def film_job(client: Any, post: Callable[..., Any]) -> dict[str, Any]:
    """One film read by the web app: the state at the end, and its tables."""
    first = post("videos?fps=5", CLIP.read_bytes()).json
    address, deadline = first["links"]["self"], time.monotonic() + 60
    while (state := client.get(address).json)["state"] in ("waiting", "reading", "running"):
        if time.monotonic() > deadline:
            raise RuntimeError(f"The film was not read within a minute: {state}")
        time.sleep(0.05)
    tables = {}
    for name in ("faces.csv", "events.csv"):
        with client.get(f"{address}/{name}") as response:
            tables[name] = table(response.text)
    return {"first": first, "last": state, "tables": tables, "deleted": client.delete(address).status_code}


@golden
def evaluation(folder: Path) -> Any:
    """``mien evaluate`` and ``mien compare`` of embedded models on drawn faces."""
    faces, out = synthesize_faces(folder, 700), folder / "evaluation"
    run("evaluate", "--model", "small", "--data", faces, "-o", out)
    predictions = table((out / "predictions.csv").read_text(encoding="utf-8"))
    return {
        "metrics": json.loads((out / "metrics.json").read_text(encoding="utf-8")),
        "predictions": {"columns": predictions["columns"], "rows": predictions["rows"][:20]},
        "files": file_names(out),
        "compare": json.loads(run("compare", out, "classic", "--data", faces, "--json")),
    }


@golden
def data(folder: Path) -> Any:
    """``mien data check`` and ``mien data report`` on drawn faces, and a check with a damaged row among them."""
    faces = synthesize_faces(folder, 140)
    run("data", "report", faces, "-o", folder / "report")
    report = json.loads((folder / "report" / "report.json").read_text(encoding="utf-8"))
    with (faces / "fer2013.csv").open("a", encoding="utf-8") as file:
        file.write("9,1 2 3,Training\n")
    checked = json.loads(run("data", "check", faces, "--json"))
    return {"check": checked, "report": report, "files": file_names(folder)}


@golden
def robustness(folder: Path) -> Any:
    """``mien robustness`` on drawn faces."""
    faces = synthesize_faces(folder, 140)
    return json.loads(run("robustness", "--model", "classic", "--data", faces, "-o", folder / "out", "--json"))


@golden
def audit(folder: Path) -> Any:
    """``mien audit`` of two maps on a few drawn faces."""
    faces = synthesize_faces(folder, 140)
    options = ("--methods", "cam,occlusion", "-n", 3, "--json", "-o", folder / "out")
    return json.loads(run("audit", "--model", "base", "--data", faces, *options))


@golden
def other_libraries(folder: Path) -> Any:
    """The shapes of DeepFace and fer."""
    fer, pixels = compat.FER(engine=engine("base")), np.asarray(Image.open(PORTRAITS).convert("RGB"))[..., ::-1]
    return {
        "analyze": compat.analyze(str(PORTRAITS)),
        "analyze whole": compat.analyze(str(ASTRONAUT), detector_backend="skip"),
        "detect_emotions": fer.detect_emotions(pixels),
        "find_faces": fer.find_faces(pixels),
        "top_emotion": dict(zip(("emotion", "share"), fer.top_emotion(str(ASTRONAUT)), strict=True)),
        "names": public_members(compat),
    }


@golden
def surface(folder: Path) -> Any:
    """Public names with their parameters; commands with their options."""
    errors = [kind for kind in subclasses(MienError) if kind.__module__ == MienError.__module__]
    return {
        "names": sorted(mien.__all__),
        "members": {name: public_members(getattr(mien, name)) for name in mien.__all__},
        "errors": sorted({kind.__name__ for kind in errors}),
        "commands": dict(commands()),
        "doctor --json": sorted(key_paths(json.loads(run("doctor", "--json")))),
    }


def subclasses(kind: type) -> Iterator[type]:
    yield kind
    for each in kind.__subclasses__():
        yield from subclasses(each)


def public_members(owner: Any) -> list[str]:
    """Public attributes of a class, functions and classes of a module, or parameters of a function."""
    if inspect.isfunction(owner):
        return [f"({parameters(owner)})"]
    names = {name for name in dir(owner) if not name.startswith("_") and name not in dir(BaseException)}
    if inspect.ismodule(owner):
        names = {name for name in names if getattr(getattr(owner, name), "__module__", "") == owner.__name__}
    elif dataclasses.is_dataclass(owner):
        names |= {each.name for each in dataclasses.fields(owner)}
    members = {name: getattr(owner, name, None) for name in names}
    lines = [f"{name}({parameters(value)})" if callable(value) else name for name, value in sorted(members.items())]
    return [f"({parameters(owner)})", *lines] if inspect.isclass(owner) else lines


def parameters(function: Any) -> str:
    """The names of its parameters with their defaults; without annotations."""
    signature = inspect.signature(function).parameters.values()
    return ", ".join(str(each.replace(annotation=inspect.Parameter.empty)) for each in signature)


def commands() -> Iterator[tuple[str, Any]]:
    """Every command by its path, with its options and the words that an option accepts."""
    roots: list[click.Command] = []

    def remember(command: click.Command, context: click.Context) -> str:
        roots.append(command)
        return ""

    with patch.object(click.Command, "get_help", remember):
        run("--help")
    yield from options_below(click.Context(roots[0], info_name="mien", **roots[0].context_settings))


def options_below(context: click.Context) -> Iterator[tuple[str, Any]]:
    options = [each for each in context.command.get_params(context) if isinstance(each, click.Option)]
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
                yield from options_below(click.Context(command, info_name=name, parent=context))


def compute(name: str, folder: Path) -> Any:
    """Today's value of one golden file; no setting and no file of this user takes part."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("MIEN_")}
    (folder / "home").mkdir()
    (folder / "work").mkdir()
    with patch.dict(os.environ, {**own, "MIEN_HOME": str(folder / "home")}, clear=True):
        value = normalised(GOLDENS[name](folder / "work"), folder / "work")
    return json.loads(json.dumps(value))


# The command


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", choices=[[], *GOLDENS], help="only these files")
    parser.add_argument("--check", action="store_true", help="print differences and write nothing")
    parser.add_argument("--exact", action="store_true", help="compare numbers to 1e-6")
    options = parser.parse_args()
    status = 0
    for name in options.names or GOLDENS:
        begin = time.perf_counter()
        try:
            with tempfile.TemporaryDirectory() as folder:
                actual = compute(name, Path(folder).resolve())
        except RuntimeError as error:
            status = 1
            sys.stdout.write(f"{name}: {error}\n")
            continue
        path, seconds = GOLDEN / f"{name}.json", time.perf_counter() - begin
        if options.check:
            lines = differences(name, json.loads(path.read_text(encoding="utf-8")), actual, options.exact)
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
