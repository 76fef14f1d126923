"""Write the tables in README, docs and results from the result files that benchmarks wrote.

    python benchmarks/tables.py            rewrite every marked section
    python benchmarks/tables.py --check    exit 1 when a section differs from the results

A section is the text between ``<!-- table:NAME -->`` and ``<!-- /table:NAME -->``. The benchmark that wrote the result
formats its table: ``TABLES`` of its module has the name of the result file and a function of its figures.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from importlib import import_module
from pathlib import Path

from _tables import RESULTS, ROOT, describe_origin

SECTION = re.compile(r"<!-- table:(?P<name>[\w-]+) -->\n(?P<body>.*?)<!-- /table:(?P=name) -->", re.DOTALL)
#: The benchmark module of each section.
MODULES = {
    "speed": "speed",
    "decision": "decision",
    "peers": "peers",
    "accuracy": "accuracy",
    "classes": "accuracy",
    "corruptions": "accuracy",
    "framing": "framing",
    "levelling": "framing",
    "scenes": "scenes",
    "web": "web",
    "windows": "windows",
    "explain": "explain",
    "audit": "audit",
    "recipes": "recipes",
    "training": "training",
    "data": "data",
    "backends": "backends",
    "transfer": "transfer",
    "views": "views",
    "smoothing": "smoothing",
    "smoothing-rates": "smoothing",
    "live": "live",
    "tracking": "tracking",
    "tracking-scenes": "tracking",
    "video": "video",
    "video-stages": "video",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a section is not current")
    check = parser.parse_args().check
    stale = {path: text for path in find_pages() if (text := render_page(path)) != path.read_text(encoding="utf-8")}
    for path, text in stale.items():
        print(f"{'not current' if check else 'written'}: {path.relative_to(ROOT)}")
        if not check:
            path.write_text(text, encoding="utf-8")
    return int(check and bool(stale))


def find_pages() -> list[Path]:
    pages = [ROOT / "README.md", ROOT / "benchmarks" / "README.md"]
    return [*pages, *sorted((ROOT / "docs").rglob("*.md")), *sorted(RESULTS.glob("*.md"))]


def render_page(path: Path) -> str:
    return SECTION.sub(render_section, path.read_text(encoding="utf-8"))


def render_section(match: re.Match[str]) -> str:
    name = match["name"]
    result_name, make_table = import_module(MODULES[name]).TABLES[name]
    path = RESULTS / f"{result_name}.json"
    if path.exists():
        result = json.loads(path.read_text(encoding="utf-8"))
        text = f"{make_table(result['figures'])}\n\n{describe_origin(result)}"
    else:
        text = "*Not measured yet.*"
    return f"<!-- table:{name} -->\n{text}\n<!-- /table:{name} -->"


if __name__ == "__main__":
    sys.exit(main())
