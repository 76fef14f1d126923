"""The house itself: what importing costs, what the wheel holds, where each fact stands, how large a room may grow."""

import ast
import re
import statistics
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

import mien
from mien.errors import MienError
from mien.labels import EMOTIONS

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "mien"


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


PROJECT = tomllib.loads(text(ROOT / "pyproject.toml"))
MODULES = sorted(SOURCE.rglob("*.py"))
HEAVY = (
    "keras",
    "tensorflow",
    "torch",
    "flask",
    "tkinter",
    "gradio",
    "pandas",
    "matplotlib",
    "cv2",
    "onnxruntime",
    "jinja2",
)


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_mien_loads_nothing_heavy():
    loaded = python(f"import mien, sys; print([name for name in {HEAVY} if name in sys.modules])")
    assert loaded.strip() == "[]"


def test_reading_a_picture_loads_no_laboratory_and_no_window():
    code = "import mien.engine, sys; print([name for name in {} if name in sys.modules])"
    heavy = [name for name in HEAVY if name not in ("cv2", "onnxruntime")] + [
        "click",
        "rich",
        "mien.training",
        "mien.apps",
    ]
    assert python(code.format(heavy)).strip() == "[]"


def test_importing_mien_is_quick():
    code = "import time; start = time.perf_counter(); import mien; print(time.perf_counter() - start)"
    assert min(float(python(code)) for _ in range(3)) < 0.25


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_importing_mien_is_small():
    status = python("import mien; print(open('/proc/self/status').read())")
    kilobytes = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])
    assert kilobytes / 1024 < 60


@pytest.mark.parametrize("name", mien.__all__)
def test_every_public_name_is_there(name):
    assert getattr(mien, name).__name__ == name
    assert name in dir(mien)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Engin'"):
        _ = mien.Engin


def test_the_tree_in_the_docstring_of_errors_is_the_family():
    drawn = set(re.findall(r"(\w+(?:Error|Missing|Unreadable|TooLarge|Damaged|Extra))\b", mien.errors.__doc__))
    assert drawn == {kind.__name__ for kind in family(MienError)}


def family(kind: type) -> Iterator[type]:
    yield kind
    for child in kind.__subclasses__():
        if child.__module__ == "mien.errors":
            yield from family(child)


# What is delivered


@pytest.fixture(scope="module")
def delivered(tmp_path_factory) -> Path:
    if find_spec("hatchling") is None:
        pytest.skip("hatchling builds the wheel; it is in the extra 'dev'")
    out = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", out], cwd=ROOT, check=True, capture_output=True)
    return out


def test_the_wheel_holds_the_models_their_licence_and_the_types(delivered):
    [wheel] = delivered.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    weights = {f"mien/models/weights/{path.name}" for path in (SOURCE / "models" / "weights").glob("*.onnx")}
    assert "mien/models/weights/base.onnx" in weights
    assert weights | {"mien/py.typed", "mien/models/weights/LICENSE", "mien/models/weights/hashes.json"} <= names
    assert {
        f"mien-{mien.__version__}.dist-info/licenses/{path}" for path in PROJECT["project"]["license-files"]
    } <= names
    assert all(name.startswith(("mien/", "mien-")) for name in names)


def test_the_source_archive_can_test_itself(delivered):
    [archive] = delivered.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    wanted = ["src/mien/models/weights/base.onnx", "src/mien/py.typed", "tests/test_house.py", "scripts/test"]
    assert {*wanted, "examples/portraits.jpg", "README.md", "LICENSE", "CITATION.cff"} <= names


def test_the_version_stands_in_one_place():
    assert "version" in PROJECT["project"]["dynamic"]
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "src/mien/_version.py"
    assert f"\nversion: {mien.__version__}\n" in text(ROOT / "CITATION.cff")
    assert "## [Unreleased]" in text(ROOT / "CHANGELOG.md")


def test_both_licences_say_what_they_must():
    assert text(ROOT / "LICENSE").startswith("MIT License")
    weights = text(SOURCE / "models" / "weights" / "LICENSE")
    assert "FER2013" in weights
    assert re.search(r"unresolved|not resolved", weights)


def test_the_python_versions_we_promise_are_those_that_ci_tests():
    promised = re.findall(r"Python :: (3\.\d+)", " ".join(PROJECT["project"]["classifiers"]))
    workflow = text(ROOT / ".github" / "workflows" / "ci.yml")
    assert re.findall(r'"(3\.\d+)"', re.search(r"python: \[(.*)\]", workflow)[1]) == promised
    assert PROJECT["project"]["requires-python"] == f">={promised[0]}"


def test_every_example_picture_has_its_credit():
    credits_ = text(ROOT / "examples" / "CREDITS.md")
    pictures = [path.name for path in (ROOT / "examples").iterdir() if path.suffix in (".jpg", ".png", ".webp")]
    assert pictures
    assert [name for name in pictures if f"`{name}`" not in credits_] == []


# How the code is built


def tree(path: Path) -> ast.Module:
    return ast.parse(text(path))


def name_of(path: Path) -> str:
    return str(path.relative_to(SOURCE))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_stays_under_three_hundred_lines(path):
    assert len(text(path).splitlines()) < 300


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Every function and the lines of its body, without its signature and docstring."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            yield f"{name_of(path)}: {node.name}", lines


def test_functions_are_short():
    lengths = dict(each for path in MODULES for each in functions(path))
    assert {name: lines for name, lines in lengths.items() if lines > 50} == {}
    assert statistics.median(lengths.values()) < 10
    assert sum(lines > 40 for lines in lengths.values()) <= len(lengths) / 50


def test_nobody_catches_everything_outside_an_app():
    rooms = [path for path in MODULES if "apps" not in path.relative_to(SOURCE).parts]
    assert [name_of(path) for path in rooms for node in ast.walk(tree(path)) if catches_everything(node)] == []


def catches_everything(node: ast.AST) -> bool:
    if not isinstance(node, ast.ExceptHandler):
        return False
    caught = ast.unparse(node.type) if node.type else "BaseException"
    return bool(re.search(r"\b(Base)?Exception\b", caught))


def test_no_room_has_a_name_that_says_nothing():
    empty = {"utils", "util", "helpers", "helper", "manager", "core", "common", "misc"}
    assert [name_of(path) for path in MODULES if empty & {path.stem, *path.relative_to(SOURCE).parts}] == []


# A fact stands in one place


def test_the_order_of_the_expressions_stands_only_in_labels():
    assert list_of_expressions(tree(SOURCE / "labels.py"))
    others = [path for path in MODULES if path != SOURCE / "labels.py"]
    assert [name_of(path) for path in others if list_of_expressions(tree(path))] == []


def list_of_expressions(module: ast.Module) -> bool:
    """Does a literal (or one string) name most of the expressions?"""
    return any(len(named(node) & set(EMOTIONS)) >= 6 for node in ast.walk(module))


def named(node: ast.AST) -> set[str]:
    match node:
        case ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items) | ast.Dict(keys=items):
            return {item.value for item in items if isinstance(item, ast.Constant) and isinstance(item.value, str)}
        case ast.Constant(value=str(text)) if text.count(" ") < 8:  # a list in a string, not a sentence
            return set(re.findall(r"\w+", text))
    return set()


@pytest.mark.parametrize(
    ("fact", "place"),
    [
        (r"pip install", "errors.py"),
        (r"ebafce4e", "models/published.py"),
        (r"200_?000_?000", "media/decode.py"),
        (r"(?<![\w.])\.299\b|\b0\.299\b", "faces/crop.py"),
    ],
)
def test_a_fact_stands_in_one_place(fact, place):
    assert [name_of(path) for path in MODULES if re.search(fact, text(path))] == [place]


def test_no_path_of_a_machine_is_left_behind():
    # Written in parts, so that this file does not find itself.
    stray = re.compile(
        "|".join(["/" + "work/", "/" + "root/", "/" + "home/[a-z]", "/" + "opt/[a-z]", r"C:\\" + "Users"])
    )
    folders = ["src", "tests", "scripts", "docs", "benchmarks", "examples", "recipes", ".ci", ".github"]
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    files += [path for path in ROOT.iterdir() if path.suffix in (".md", ".toml", ".yaml", ".cff")]
    readable = [path for path in files if path.suffix not in (".jpg", ".png", ".onnx", ".pyc", ".webp", ".npz")]
    assert readable
    assert [str(path) for path in readable if stray.search(text(path))] == []
