"""Line coverage and time of the test tiers, from the reports that ``scripts/coverage`` makes.

python benchmarks/tests.py FOLDER    with default.json and all.json of coverage.py, and the seconds of each run
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from _results import write_result

#: The default tier must cover this part of the lines that --all covers.
TARGET = 0.85
TIERS = ("default", "all")


def read_covered_lines(report: Path) -> set[tuple[str, int]]:
    files = json.loads(report.read_text())["files"]
    return {(name, line) for name, file in files.items() for line in file["executed_lines"]}


def main() -> int:
    folder = Path(sys.argv[1])
    lines = {tier: read_covered_lines(folder / f"{tier}.json") for tier in TIERS}
    ratio = len(lines["default"] & lines["all"]) / len(lines["all"])
    figures = {
        "covered_lines": {tier: len(covered) for tier, covered in lines.items()},
        "seconds_with_coverage": {tier: int((folder / f"{tier}.seconds").read_text()) for tier in TIERS},
        "default_of_all": round(ratio, 4),
        "target": TARGET,
    }
    write_result("tests", figures)
    print(f"The default tier covers {ratio:.1%} of the {len(lines['all']):,} lines that --all covers.")
    return int(ratio < TARGET)


if __name__ == "__main__":
    sys.exit(main())
