"""Streamlit in this process: on this machine alone unless told otherwise, without telling anybody that it is used."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout, suppress
from importlib.resources import files
from pathlib import Path
from typing import TypeAlias

from mien.apps.session.ports import check_port, make_listen_error
from mien.errors import MissingExtra, install_command

#: Where the page is, if nobody says otherwise: Streamlit's own port.
HOST, PORT = "127.0.0.1", 8501

_COMMAND = "mien streamlit"

Program: TypeAlias = Callable[..., object]

#: Names that a page for this machine alone answers to: no other site's name may lead here.
_OURS = ("localhost", "127.0.0.1", "::1")


def load_streamlit() -> Program:
    """Streamlit's own command; a MissingExtra where Streamlit is not installed."""
    try:
        from streamlit.web.cli import main
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "streamlit":
            raise
        raise MissingExtra(
            "The page needs Streamlit, which is not installed",
            "The extra 'streamlit' brings it",
            f"Run {install_command('streamlit')}",
        ) from error
    return main


def app_path() -> str:
    """The file that Streamlit runs."""
    return str(files("mien.apps.streamlit.start").joinpath("app.py"))


def serve_streamlit(run: Program, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; ``ready`` hears the address as soon as somebody answers there."""
    if error := check_port(host, port):
        raise make_listen_error(host, port, error, _COMMAND)
    port, ours = port or _any(host), sys.stdout

    def announce() -> None:
        _wait(host, port)
        with redirect_stdout(ours):
            ready(f"http://{_shown(host)}:{port}")

    # What Streamlit has to say on stdout is not for whoever reads the address there, who may have left long ago.
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        threading.Thread(target=announce, daemon=True).start()
        run(["run", app_path(), *streamlit_flags(host, port)], standalone_mode=False)


def streamlit_flags(host: str, port: int) -> Iterator[str]:
    """What Streamlit is told beside the settings that lie next to the app."""
    told = {
        "server.address": host,
        "server.port": port,
        "server.headless": "true",
        # Nobody edits this page while it is shown.
        "server.fileWatcherType": "none",
        # These stand beside the app, too; said here, no variable of Streamlit's changes them.
        "browser.gatherUsageStats": "false",
        "client.showErrorDetails": "none",
        "logger.hideWelcomeMessage": "true",
        "logger.level": "warning",
    }
    yield from (f"--{name}={value}" for name, value in told.items())
    if is_loopback(host):
        yield from (f"--server.allowedHosts={name}" for name in _OURS)


def is_loopback(host: str | None) -> bool:
    """Is this an address that only this machine can reach?"""
    if not host or host == "localhost":
        return host == "localhost"
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _shown(host: str) -> str:
    """How the address is written for a browser on this machine."""
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1"
    return f"[{host.strip('[]')}]" if ":" in host else host


def _any(host: str) -> int:
    """A port that is free at this moment."""
    family, kind, protocol, _, address = socket.getaddrinfo(host.strip("[]"), 0, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as trial:
        trial.bind(address)
        return int(trial.getsockname()[1])


def _wait(host: str, port: int) -> None:
    """Wait until somebody answers, however long that takes."""
    there = _shown(host).strip("[]")
    while True:
        with suppress(OSError), socket.create_connection((there, port), timeout=1):
            break
        time.sleep(0.02)
