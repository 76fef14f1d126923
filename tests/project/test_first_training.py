"""The first training of README and guide, exactly as they show it."""

import json
import re
import shlex
import time
from pathlib import Path

import pytest

from command import run_in_process

ROOT = Path(__file__).parents[2]


def first_training(page: str) -> list[str]:
    """The commands of the page's first block that trains, up to the training."""
    [block, *_] = [
        code
        for code in re.findall(r"^```sh\n(.*?)^```$", (ROOT / page).read_text("utf-8"), re.DOTALL | re.MULTILINE)
        if "mien train" in code
    ]
    lines = block.splitlines()
    return lines[: 1 + next(number for number, line in enumerate(lines) if line.startswith("mien train"))]


@pytest.mark.train
def test_first_training_reads_eight_of_ten_synthetic_faces_within_three_minutes(tmp_path, monkeypatch):
    pytest.importorskip("keras", reason="needs the extra train")
    assert first_training("README.md") == first_training("docs/guide.md")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))
    start = time.process_time()
    for line in first_training("README.md"):
        done = run_in_process(*shlex.split(line)[1:])
        assert done.status == 0, done.stderr
    metrics = json.loads((tmp_path / "runs" / "first" / "metrics.json").read_text())
    assert metrics["accuracy"] >= 0.8
    assert metrics["synthetic"]
    assert metrics["chance"]["uniform"] == pytest.approx(1 / 7)
    assert "chance: 14.3 % (always" in done.stdout
    assert "synthetic faces" in done.stdout
    # The time of both cores: other processes on the machine do not count.
    assert time.process_time() - start < 2 * 180
