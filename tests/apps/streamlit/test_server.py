"""``mien streamlit`` as a process: where it listens, what it says, what it refuses, how it ends; its settings."""

import os
import re
import signal
import socket
import subprocess
import sys
import tomllib
import urllib.request
from importlib.resources import files
from pathlib import Path

import pytest

if not os.environ.get("MIEN_REQUIRE_BROWSER"):
    pytest.importorskip("streamlit", reason="the page needs the extra 'streamlit'")

from command import environment, mien, run_process, start_process
from mien.apps.streamlit import server
from mien.apps.streamlit.settings import PageSettings, load_page_settings
from mien.html import style_colours
from streamlit_page import serve_streamlit_page

unix = pytest.mark.skipif(os.name == "nt", reason="signals as Unix has them")
HAAR = {"MIEN_DETECTOR": "haar"}


@unix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_answers_on_this_machine_alone_and_ends_well(number, tmp_path):
    variables = environment(MIEN_HOME=str(tmp_path), **HAAR)
    with start_process("streamlit", "--port", 0, env=variables, stdout=subprocess.PIPE, cwd=tmp_path) as running:
        address = running.stdout.readline().decode().split()[-1]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address)
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=20) as answer:
            assert answer.read() == b"ok"
        running.send_signal(number)
        assert running.wait(20) == 0
        assert "Traceback" not in running.stderr.read().decode()
    assert list(tmp_path.iterdir()) == []


def test_other_names_lead_nowhere(tmp_path):
    """A page of somebody else's must not reach this one by giving its own name this machine's address."""
    with serving(cwd=tmp_path, MIEN_HOME=str(tmp_path), **HAAR) as address:
        port = address.rpartition(":")[2]
        assert b" 101 " in handshake(port, f"127.0.0.1:{port}", address)
        assert b" 101 " not in handshake(port, f"evil.example:{port}", address)
        assert b" 101 " not in handshake(port, f"127.0.0.1:{port}", "http://evil.example")


def handshake(port, host, origin):
    lines = ["GET /_stcore/stream HTTP/1.1", f"Host: {host}", f"Origin: {origin}", "Connection: Upgrade"]
    lines += ["Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "", ""]
    with socket.create_connection(("127.0.0.1", int(port)), timeout=20) as peer:
        peer.sendall("\r\n".join(lines).encode())
        return peer.recv(4000).partition(b"\r\n")[0] + b" "


def test_a_port_that_is_taken_names_a_free_one(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert mien("streamlit", "--port", port) == 1
    told = capsys.readouterr().err
    free = re.search(r"Port (\d+) is free: mien streamlit --port \1", told)
    assert free
    assert server.check_port("127.0.0.1", int(free[1])) is None


def test_without_streamlit_the_install_command_is_named(tmp_path):
    blocked = "import sys; sys.modules['streamlit'] = None; from mien.apps.cli import main; main(['streamlit'])"
    done = subprocess.run([sys.executable, "-c", blocked], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert 'pip install ".[streamlit]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_a_model_that_is_not_there_is_said_before_anybody_visits():
    done = run_process("streamlit", "--model", "nobody", env=environment(**HAAR))
    assert done.returncode == 1
    assert b"nobody" in done.stderr
    assert b"Traceback" not in done.stderr


def test_options_become_the_variables_that_the_page_reads():
    assert load_page_settings({}) == PageSettings("base", "auto", None)
    told = {"MIEN_MODEL": "a.onnx", "MIEN_DETECTOR": "haar", "MIEN_RUNS": "there"}
    assert load_page_settings(told) == PageSettings("a.onnx", "haar", Path("there"))
    assert load_page_settings({"MIEN_MODEL": "", "MIEN_RUNS": ""}) == PageSettings()


def test_nobody_is_told_and_no_traceback_is_shown():
    """Both in the settings beside the app, for who runs it with Streamlit's own command, and in what we say to it."""
    beside = config()
    assert beside["browser"]["gatherUsageStats"] is False
    assert beside["client"]["showErrorDetails"] == "none"
    assert beside["server"]["showEmailPrompt"] is False
    told = list(server.streamlit_flags("127.0.0.1", 8501))
    wanted = ["browser.gatherUsageStats=false", "client.showErrorDetails=none", "server.headless=true"]
    assert {f"--{each}" for each in [*wanted, "server.address=127.0.0.1", "server.port=8501"]} <= set(told)
    assert "--server.allowedHosts=127.0.0.1" in told
    assert not any("allowedHosts" in each for each in server.streamlit_flags("0.0.0.0", 8501))


def test_the_theme_has_the_colours_of_every_page():
    for dark, theme in ((False, config()["theme"]["light"]), (True, config()["theme"]["dark"])):
        own = style_colours(dark=dark)
        expected = {"backgroundColor": "paper", "textColor": "ink", "borderColor": "line", "linkColor": "accent"}
        assert {name: theme[name] for name in expected} == {name: own[tone] for name, tone in expected.items()}
        assert theme["secondaryBackgroundColor"] == own["panel"]
        assert contrast(theme["primaryColor"], "#ffffff") >= 4.5


def test_every_setting_beside_the_app_is_known_to_streamlit():
    from streamlit import config as known

    names = [f"{section}.{name}" for section, told in config().items() for name in told]
    assert [name for name in names if not name.startswith("theme.") and known.get_option(name) is None] == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.9.9.9"])
def test_some_addresses_are_of_this_machine_alone(host):
    assert server.is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org", None, ""])
def test_others_are_not(host):
    assert not server.is_loopback(host)


def contrast(one, other):
    """By WCAG's measure."""
    lights = sorted(map(light, (one, other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def light(colour):
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def config():
    return tomllib.loads(files("mien.apps.streamlit.start").joinpath(".streamlit/config.toml").read_text("utf-8"))
