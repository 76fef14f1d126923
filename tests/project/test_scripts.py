"""The scripts people start with, run as they run them, on a Python that stands in for pip and the network."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(sys.platform == "win32" or not shutil.which("bash"), reason="needs a Unix bash")

# Answers what scripts/_environment.sh asks of a Python, writes down that it was asked, and "installs" a mien.
STAND_IN = """#!/bin/sh
echo "$*" >> "$STAND_IN_LOG"
case "$*" in
  *"-m venv"*)
    for folder; do :; done
    mkdir -p "$folder/bin" && cp "$0" "$folder/bin/python" ;;
  *"pip "*"install"*)
    [ -n "$STAND_IN_DIES" ] && kill -TERM $PPID && sleep 1
    [ -n "$STAND_IN_FAILS" ] && exit 1
    printf '#!/bin/sh\\nfor word; do echo "[$word]"; done\\n' > "$(dirname "$0")/mien"
    chmod +x "$(dirname "$0")/mien" ;;
esac
exit 0
"""


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A checkout in a folder with a space in its name, with nothing installed."""
    home = tmp_path / "the checkout"
    shutil.copytree(ROOT / "scripts", home / "scripts")
    shutil.copy(ROOT / "pyproject.toml", home)
    (tmp_path / "python").write_text(STAND_IN)
    (tmp_path / "python").chmod(0o755)
    return home


def mien(checkout: Path, *words: str, script: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    log = checkout.parent / "log"
    log.write_text("")
    environment = {**os.environ, "MIEN_PYTHON": str(checkout.parent / "python"), "STAND_IN_LOG": str(log), **more}
    command = [script or checkout / "scripts" / "mien", *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=checkout.parent, check=False)


def python_calls(checkout: Path) -> str:
    return (checkout.parent / "log").read_text()


def test_first_call_installs_and_passes_its_arguments(checkout):
    done = mien(checkout, "predict", "a b.jpg", "--json")
    assert done.stdout.splitlines() == ["[predict]", "[a b.jpg]", "[--json]"]
    assert len(done.stderr.splitlines()) == 2
    assert "YuNet" in done.stderr
    assert str(checkout) in done.stderr


def test_second_call_installs_nothing(checkout):
    mien(checkout)
    done = mien(checkout, "doctor")
    assert (done.stdout, done.stderr, python_calls(checkout)) == ("[doctor]\n", "", "")


def test_script_works_through_a_symbolic_link(checkout):
    link = checkout.parent / "link"
    link.symlink_to(Path("the checkout", "scripts", "mien"))
    assert mien(checkout, "doctor", script=link).stdout == "[doctor]\n"


def test_changed_pyproject_is_installed_in_the_same_environment(checkout):
    mien(checkout)
    (checkout / "pyproject.toml").write_text("changed")
    done = mien(checkout, "doctor")
    assert done.stdout == "[doctor]\n"
    assert "install" in python_calls(checkout)
    assert "venv" not in python_calls(checkout)


def test_killed_installation_is_repeated_in_a_new_environment(checkout):
    killed = mien(checkout, "doctor", STAND_IN_DIES="1")
    assert (killed.returncode, killed.stdout) == (130, "")
    done = mien(checkout, "doctor")
    assert done.stdout == "[doctor]\n"
    assert "venv --clear" in python_calls(checkout)


def test_failed_installation_keeps_the_environment(checkout):
    failed = mien(checkout, "doctor", STAND_IN_FAILS="1")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "installation failed" in failed.stderr
    assert mien(checkout, "doctor").stdout == "[doctor]\n"
    assert "venv" not in python_calls(checkout)


def test_moved_checkout_gets_a_new_environment(checkout):
    mien(checkout)
    moved = checkout.rename(checkout.parent / "moved")
    assert mien(moved, "doctor").stdout == "[doctor]\n"
    assert "venv --clear" in python_calls(moved)


def test_missing_python_gives_one_message(checkout):
    bare = checkout.parent / "bare"
    bare.mkdir()
    for tool in ("bash", "dirname", "cksum", "cat", "env", "readlink"):
        (bare / tool).symlink_to(shutil.which(tool))
    done = mien(checkout, PATH=str(bare), MIEN_PYTHON="")
    assert done.returncode == 1
    assert done.stderr.startswith("mien needs Python 3.11 or later")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "script", ["scripts/mien", "scripts/test", "scripts/_environment.sh", "scripts/coverage", ".ci/run"]
)
def test_script_is_valid_bash(script):
    subprocess.run(["bash", "-n", ROOT / script], check=True, capture_output=True)
