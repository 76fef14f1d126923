"""Line coverage of the test tiers, from one run of all tests that recorded which test covered which line.

    python benchmarks/tests.py .coverage    the data that scripts/coverage records

A line belongs to the default tier where a test of that tier covers it, or an import. What a shared fixture covers
counts for the first test that uses it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import _results
from coverage import CoverageData

#: The default tier must cover this part of the lines that --all covers.
TARGET = 0.85
DEFAULT_TIER = "not full and not slow"


def list_default_tests() -> set[str]:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", DEFAULT_TIER]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {line for line in output.splitlines() if "::" in line}


def main() -> int:
    data = CoverageData(basename=sys.argv[1])
    data.read()
    default_tests = list_default_tests()
    covered = default = 0
    for file in data.measured_files():
        if "src/mien" in Path(file).as_posix():
            for contexts in data.contexts_by_lineno(file).values():
                covered += 1
                default += any(not name or name.rpartition("|")[0] in default_tests for name in contexts)
    figures = {
        "tests": {"default": len(default_tests)},
        "covered_lines": {"all": covered, "default": default},
        "default_of_all": round(default / covered, 4),
        "target": TARGET,
    }
    _results.write_result("tests", figures)
    print(f"The default tier covers {default / covered:.1%} of the {covered:,} lines that --all covers.")
    return int(default / covered < TARGET)


if __name__ == "__main__":
    sys.exit(main())
