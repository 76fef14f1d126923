"""Line coverage and time of the test tiers, from the reports that ``scripts/coverage`` writes.

python benchmarks/tests.py DEFAULT ALL    two JSON reports of coverage.py, the seconds of each run in FILE.seconds
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import _results

#: The least fraction of the lines covered by all tests that the default tier covers.
TARGET = 0.85


def covered_lines(report: Path) -> set[tuple[str, int]]:
    files = json.loads(report.read_text())["files"]
    return {(name, line) for name, file in files.items() for line in file["executed_lines"]}


def main() -> int:
    reports = {"default": Path(sys.argv[1]), "all": Path(sys.argv[2])}
    lines = {tier: covered_lines(report) for tier, report in reports.items()}
    seconds = {tier: int(Path(f"{report}.seconds").read_text()) for tier, report in reports.items()}
    ratio = len(lines["default"] & lines["all"]) / len(lines["all"])
    figures = {
        "covered_lines": {tier: len(covered) for tier, covered in lines.items()},
        "seconds_with_coverage": seconds,
        "default_of_all": round(ratio, 4),
        "target": TARGET,
    }
    _results.write_result("tests", figures)
    print(f"The default tier covers {ratio:.1%} of the {len(lines['all']):,} lines that --all covers.")
    return int(ratio < TARGET)


if __name__ == "__main__":
    sys.exit(main())
