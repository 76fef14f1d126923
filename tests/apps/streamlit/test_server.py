"""The Streamlit page as a server: where it listens, what it refuses, how it ends; its settings."""

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
from mien.apps.session.ports import check_port
from mien.apps.streamlit import server
from mien.apps.streamlit.server import PageSettings, load_page_settings
from mien.html import style_colours
from streamlit_page import serve_streamlit_page

unix = pytest.mark.skipif(os.name == "nt", reason="signals of Unix")
HAAR = {"MIEN_DETECTOR": "haar"}


# Processes


@unix
@pytest.mark.full
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_listens_on_this_machine_alone_and_ends_without_files(number, tmp_path):
    variables = environment(MIEN_HOME=str(tmp_path), **HAAR)
    with start_process("streamlit", "--port", 0, env=variables, stdout=subprocess.PIPE, cwd=tmp_path) as process:
        address = process.stdout.readline().decode().split()[-1]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address)
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=20) as response:
            assert response.read() == b"ok"
        process.send_signal(number)
        assert process.wait(20) == 0
        assert "Traceback" not in process.stderr.read().decode()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.full
def test_requests_for_other_host_names_are_refused(tmp_path):
    """Another site must not reach this page by resolving its own name to this machine."""
    with serve_streamlit_page(cwd=tmp_path, MIEN_HOME=str(tmp_path), **HAAR) as address:
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


@pytest.mark.full
def test_without_streamlit_the_command_says_what_to_install():
    program = "import sys; sys.modules['streamlit'] = None; from mien.apps.cli import main; main(['streamlit'])"
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert process.returncode == 1
    assert 'pip install ".[streamlit]"' in process.stderr
    assert "Traceback" not in process.stderr


@pytest.mark.full
def test_an_unknown_model_is_reported_before_the_page_starts():
    process = run_process("streamlit", "--model", "nobody", env=environment(**HAAR))
    assert process.returncode == 1
    assert b"nobody" in process.stderr
    assert b"Traceback" not in process.stderr


def test_an_occupied_port_is_reported_with_a_free_one(capsys):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert mien("streamlit", "--port", port) == 1
    free = re.search(r"Port (\d+) is free: mien streamlit --port \1", capsys.readouterr().err)
    assert free
    assert check_port("127.0.0.1", int(free[1])) is None


# Settings


def test_settings_come_from_variables():
    assert load_page_settings({}) == PageSettings("base", "auto", "training", None)
    variables = {"MIEN_MODEL": "a.onnx", "MIEN_DETECTOR": "haar", "MIEN_PRIOR": "even", "MIEN_RUNS": "there"}
    assert load_page_settings(variables) == PageSettings("a.onnx", "haar", "even", Path("there"))
    assert load_page_settings({"MIEN_MODEL": "", "MIEN_RUNS": ""}) == PageSettings()


def test_statistics_and_tracebacks_are_off_in_the_file_and_in_the_options():
    settings = config()
    assert settings["browser"]["gatherUsageStats"] is False
    assert settings["client"]["showErrorDetails"] == "none"
    assert settings["server"]["showEmailPrompt"] is False
    flags = list(server.streamlit_flags("127.0.0.1", 8501))
    expected = ["browser.gatherUsageStats=false", "client.showErrorDetails=none", "server.headless=true"]
    assert {f"--{flag}" for flag in [*expected, "server.address=127.0.0.1", "server.port=8501"]} <= set(flags)
    assert "--server.allowedHosts=127.0.0.1" in flags
    assert not any("allowedHosts" in flag for flag in server.streamlit_flags("0.0.0.0", 8501))


def test_the_theme_has_the_colours_of_every_page():
    for dark, theme in ((False, config()["theme"]["light"]), (True, config()["theme"]["dark"])):
        colours = style_colours(dark=dark)
        expected = {"backgroundColor": "paper", "textColor": "ink", "borderColor": "line", "linkColor": "accent"}
        assert {name: theme[name] for name in expected} == {name: colours[value] for name, value in expected.items()}
        assert theme["secondaryBackgroundColor"] == colours["panel"]
        assert contrast(theme["primaryColor"], "#ffffff") >= 4.5


def contrast(first, second):
    """The contrast ratio of WCAG."""
    darker, lighter = sorted(map(luminance, (first, second)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour):
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_streamlit_knows_every_setting_of_the_file():
    from streamlit import config as streamlit_config

    names = [f"{section}.{name}" for section, options in config().items() for name in options]
    unknown = [name for name in names if not name.startswith("theme.") and streamlit_config.get_option(name) is None]
    assert unknown == []


def config():
    return tomllib.loads(files("mien.apps.streamlit").joinpath("start/.streamlit/config.toml").read_text("utf-8"))


def test_loopback_addresses_are_recognised():
    for host in ("127.0.0.1", "localhost", "::1", "[::1]", "127.9.9.9"):
        assert server.is_loopback(host), host
    for host in ("0.0.0.0", "::", "192.168.1.4", "example.org", None, ""):
        assert not server.is_loopback(host), host
