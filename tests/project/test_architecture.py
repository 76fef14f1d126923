"""The package as a whole: what importing loads, what the wheel contains, names, import circles, facts in one place."""

import ast
import re
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
MODULES = sorted(SOURCE.rglob("*.py"))
HEAVY = ("keras", "tensorflow", "torch", "flask", "tkinter", "gradio", "pandas", "matplotlib", "cv2", "onnxruntime")
HEAVY = (*HEAVY, "jinja2", "streamlit", "prometheus_client", "filelock")


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def module_name(path: Path) -> str:
    return str(path.relative_to(SOURCE))


PROJECT = tomllib.loads(text(ROOT / "pyproject.toml"))
TREES = {path: ast.parse(text(path)) for path in MODULES}


# What importing loads


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_mien_loads_nothing_heavy():
    assert python(f"import mien, sys; print([name for name in {HEAVY} if name in sys.modules])") == "[]\n"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_importing_mien_needs_little_memory():
    status = python("import mien; print(open('/proc/self/status').read())")
    assert int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024 < 60


def test_importing_the_engine_loads_no_research_package_and_no_window():
    unwanted = [name for name in HEAVY if name not in ("cv2", "onnxruntime")]
    unwanted += ["click", "rich", "mien.datasets", "mien.training", "mien.evaluation", "mien.export", "mien.apps"]
    assert python(f"import mien.engine, sys; print([name for name in {unwanted} if name in sys.modules])") == "[]\n"


def test_help_of_every_command_loads_neither_opencv_nor_onnx_runtime():
    code = f"""
import sys
from mien.apps.cli import main
from mien.apps.cli.command_line import COMMANDS
for command in COMMANDS:
    try:
        main([command, "--help"])
    except SystemExit as end:
        assert end.code == 0, command
print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", mien.__all__)
def test_every_public_name_can_be_imported(name):
    assert getattr(mien, name).__name__ == name
    assert name in dir(mien)


def test_unknown_name_raises_attribute_error():
    with pytest.raises(AttributeError, match="Engin'"):
        _ = mien.Engin


def test_error_tree_in_the_docstring_is_complete():
    listed = set(re.findall(r"(\w+(?:Error|Missing|Unreadable|TooLarge|Damaged|Extra))\b", mien.errors.__doc__))
    assert listed == {kind.__name__ for kind in error_family(MienError)}


def error_family(kind: type) -> Iterator[type]:
    yield kind
    for child in kind.__subclasses__():
        if child.__module__ == "mien.errors":
            yield from error_family(child)


# What is delivered


@pytest.fixture(scope="module")
def archives(tmp_path_factory) -> Path:
    if find_spec("hatchling") is None:
        pytest.skip("hatchling builds the wheel; it is in the extra 'dev'")
    out = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", out], cwd=ROOT, check=True, capture_output=True)
    return out


@pytest.mark.full
def test_wheel_contains_models_licence_types_and_templates(archives):
    [wheel] = archives.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    data = [path for path in SOURCE.rglob("*") if path.suffix in (".onnx", ".html", ".css", ".js", ".json", ".jpg")]
    required = {f"mien/{path.relative_to(SOURCE).as_posix()}" for path in data}
    assert "mien/models/weights/base.onnx" in required
    assert required | {"mien/py.typed", "mien/models/weights/LICENSE", "mien/training/recipes/base.toml"} <= names
    licences = {f"mien-{mien.__version__}.dist-info/licenses/{path}" for path in PROJECT["project"]["license-files"]}
    assert licences <= names
    assert all(name.startswith(("mien/", "mien-")) for name in names)


@pytest.mark.full
def test_source_archive_contains_tests_and_examples(archives):
    [archive] = archives.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    required = {"src/mien/models/weights/base.onnx", "src/mien/py.typed", "tests/project/test_architecture.py"}
    assert required | {"scripts/test", "examples/portraits.jpg", "README.md", "LICENSE", "CITATION.cff"} <= names


def test_version_stands_in_one_place():
    assert "version" in PROJECT["project"]["dynamic"]
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "src/mien/_version.py"
    assert f"\nversion: {mien.__version__}\n" in text(ROOT / "CITATION.cff")
    assert "## [Unreleased]" in text(ROOT / "CHANGELOG.md")


def test_licences_name_their_terms():
    assert text(ROOT / "LICENSE").startswith("MIT License")
    weights = text(SOURCE / "models" / "weights" / "LICENSE")
    assert "FER2013" in weights
    assert re.search(r"unresolved|not resolved", weights)


def test_supported_python_versions_are_those_of_ci():
    supported = re.findall(r"Python :: (3\.\d+)", " ".join(PROJECT["project"]["classifiers"]))
    workflow = text(ROOT / ".github" / "workflows" / "ci.yml")
    assert re.findall(r'"(3\.\d+)"', re.search(r"python: \[(.*)\]", workflow)[1]) == supported
    assert PROJECT["project"]["requires-python"] == f">={supported[0]}"


def test_every_example_image_has_a_credit():
    credit = text(ROOT / "examples" / "CREDITS.md")
    names = [path.name for path in (ROOT / "examples").iterdir() if path.suffix in (".jpg", ".png", ".webp")]
    assert names
    assert [name for name in names if f"`{name}`" not in credit] == []


# How the code is built


def dotted_name(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def import_graph() -> dict[str, set[str]]:
    """The modules that each module imports anywhere in its text: late imports and imports for types count too."""
    names = {dotted_name(path) for path in MODULES}
    graph = {}
    for path, tree in TREES.items():
        targets = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                submodules = {f"{node.module}.{alias.name}" for alias in node.names}
                targets |= (submodules & names) or {node.module}
            elif isinstance(node, ast.Import):
                targets |= {alias.name for alias in node.names}
        graph[dotted_name(path)] = (targets & names) - {dotted_name(path)}
    return graph


def import_circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Remove modules that import nothing that is left, again and again; what remains stands in or above a circle."""
    left = {name: set(targets) for name, targets in graph.items()}
    while free := [name for name, targets in left.items() if not targets & left.keys()]:
        for name in free:
            del left[name]
    return [[name, *sorted(left[name] & left.keys())] for name in sorted(left)]


def test_import_circles_are_detected():
    assert import_circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": set()}) == [["a", "b"], ["b", "c"], ["c", "a"]]


def test_no_import_circles():
    assert import_circles(import_graph()) == []


#: Words that say nothing about what a name holds, and metaphors. docs/glossary.md has the terms to use.
FORBIDDEN = frozenset([
    "told", "said", "seen", "found", "held", "made", "given", "known", "looked", "asked", "wanted", "gone", "going",
    "heard", "taken", "kept", "shown", "drawn", "door", "house", "room", "desk", "bench", "shelf", "pencil", "seal",
    "bells", "rival", "rivals", "journey",
])  # fmt: skip


def bound_names(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every name that a module binds, with its line: definitions, parameters, variables, attributes of self."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, node.lineno
            case ast.arg(arg=name):
                yield name, node.lineno
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name, node.lineno


def words_of(name: str) -> set[str]:
    return set(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_"))


@pytest.mark.parametrize("folder", ["src", "tests", "benchmarks", "scripts", "examples"])
def test_no_identifier_uses_a_forbidden_word(folder):
    files = sorted((ROOT / folder).rglob("*.py"))
    assert [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in files
        for name, line in bound_names(ast.parse(text(path)))
        if words_of(name) & FORBIDDEN
    ] == []


def test_class_names_are_unique():
    places: dict[str, list[str]] = {}
    for path, tree in TREES.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(module_name(path))
    shared = {name: paths for name, paths in places.items() if len(paths) > 1}
    assert shared == {}


def test_modules_and_functions_stay_readable():
    lines = {module_name(path): len(text(path).splitlines()) for path in MODULES}
    assert {name: count for name, count in lines.items() if count > 620} == {}
    assert {name: count for name, count in function_lengths() if count > 60} == {}


def function_lengths() -> Iterator[tuple[str, int]]:
    """Every function and the number of lines of its body, without signature and docstring."""
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                yield f"{module_name(path)}: {node.name}", body[-1].end_lineno - body[0].lineno + 1 if body else 0


def test_only_apps_catch_every_exception():
    library = {path: tree for path, tree in TREES.items() if "apps" not in path.relative_to(SOURCE).parts}
    broad = [(module_name(path), node.lineno) for path, tree in library.items() for node in broad_handlers(tree)]
    assert broad == []


def broad_handlers(tree: ast.Module) -> Iterator[ast.ExceptHandler]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "BaseException"
            if re.search(r"\b(Base)?Exception\b", caught):
                yield node


def test_no_module_has_a_name_without_content():
    empty = {"utils", "util", "helpers", "helper", "manager", "core", "common", "misc"}
    assert [module_name(path) for path in MODULES if empty & {path.stem, *path.relative_to(SOURCE).parts}] == []


# A fact stands in one place


def test_label_order_stands_only_in_labels():
    assert lists_emotions(TREES[SOURCE / "labels.py"])
    others = [path for path in MODULES if path != SOURCE / "labels.py"]
    assert [module_name(path) for path in others if lists_emotions(TREES[path])] == []


def lists_emotions(tree: ast.Module) -> bool:
    """Whether a literal or one short string names at least six of the seven expressions."""
    return any(len(literal_words(node) & set(EMOTIONS)) >= 6 for node in ast.walk(tree))


def literal_words(node: ast.AST) -> set[str]:
    match node:
        case ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items) | ast.Dict(keys=items):
            return {item.value for item in items if isinstance(item, ast.Constant) and isinstance(item.value, str)}
        case ast.Constant(value=str(words)) if words.count(" ") < 8:  # a list in a string, not a sentence
            return set(re.findall(r"\w+", words))
    return set()


@pytest.mark.parametrize(
    ("fact", "module"),
    [
        (r"pip install", "errors.py"),
        (r"ebafce4e", "models/checksums.py"),
        (r"200_?000_?000", "images/decode.py"),
        (r"(?<![\w.])\.299\b|\b0\.299\b", "faces/crop.py"),
    ],
)
def test_fact_stands_in_one_place(fact, module):
    assert [module_name(path) for path in MODULES if re.search(fact, text(path))] == [module]


def test_no_path_of_a_machine_is_committed():
    # Written in parts, so that this file does not match itself.
    stray = re.compile(
        "|".join(["/" + "work/", "/" + "root/", "/" + "home/[a-z]", "/" + "opt/[a-z]", r"C:\\" + "Users"])
    )
    folders = ["src", "tests", "scripts", "docs", "benchmarks", "examples", "recipes", ".ci", ".github"]
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    files += [path for path in ROOT.iterdir() if path.suffix in (".md", ".toml", ".yaml", ".cff")]
    readable = [path for path in files if path.suffix not in (".jpg", ".png", ".onnx", ".pyc", ".webp", ".npz")]
    assert readable
    assert [str(path) for path in readable if stray.search(text(path))] == []
