"""The settings of the page, and Streamlit in this process: on this machine alone by default, without statistics."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TypeAlias

from mien.apps.session.ports import check_port, find_free_port, format_url, local_host, make_listen_error
from mien.errors import MissingExtra, install_command

MODEL, DETECTOR, PRIOR, RUNS = "MIEN_MODEL", "MIEN_DETECTOR", "MIEN_PRIOR", "MIEN_RUNS"


@dataclass(frozen=True)
class PageSettings:
    """``model`` is a name or a path; ``runs`` is the folder of training runs, None for the default one."""

    model: str = "base"
    detector: str = "auto"
    prior: str = "training"
    runs: Path | None = None


def load_page_settings(environ: Mapping[str, str] | None = None) -> PageSettings:
    """The settings in the variables; an empty variable counts as not set."""
    variables = os.environ if environ is None else environ
    defaults, runs = PageSettings(), variables.get(RUNS)
    return PageSettings(
        variables.get(MODEL) or defaults.model,
        variables.get(DETECTOR) or defaults.detector,
        variables.get(PRIOR) or defaults.prior,
        Path(runs) if runs else None,
    )


StreamlitCommand: TypeAlias = Callable[..., object]


#: The host names that a page for this machine alone answers to: no other site's name may lead here.
_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


def load_streamlit() -> StreamlitCommand:
    """Streamlit's own command line; a MissingExtra if Streamlit is not installed."""
    try:
        from streamlit.web.cli import main
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "streamlit":
            raise
        raise MissingExtra(
            "The page needs Streamlit, which is not installed",
            "The extra 'streamlit' contains it",
            f"Run {install_command('streamlit')}",
        ) from error
    return main


def serve_streamlit(run: StreamlitCommand, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; ``on_ready`` gets the URL as soon as the server answers."""
    if error := check_port(host, port):
        raise make_listen_error(host, port, error, "mien streamlit")
    port, stdout = port or find_free_port(host), sys.stdout

    def announce() -> None:
        _wait_until_connected(local_host(host).strip("[]"), port)
        with redirect_stdout(stdout):
            on_ready(format_url(host, port))

    app = str(files("mien.apps.streamlit").joinpath("start/app.py"))
    # Streamlit's own messages on stdout are not for the program that reads the address there.
    with Path(os.devnull).open("w") as null, redirect_stdout(null):
        threading.Thread(target=announce, daemon=True).start()
        run(["run", app, *streamlit_flags(host, port)], standalone_mode=False)


def _wait_until_connected(host: str, port: int) -> None:
    while True:
        with suppress(OSError), socket.create_connection((host, port), timeout=1):
            return
        time.sleep(0.02)


def streamlit_flags(host: str, port: int) -> Iterator[str]:
    """Streamlit's options, besides the settings in the file next to the app."""
    options = {
        "server.address": host,
        "server.port": port,
        "server.headless": "true",
        "server.fileWatcherType": "none",
        # These are in the file, too; as options they override Streamlit's environment variables.
        "browser.gatherUsageStats": "false",
        "client.showErrorDetails": "none",
        "logger.hideWelcomeMessage": "true",
        "logger.level": "warning",
    }
    yield from (f"--{name}={value}" for name, value in options.items())
    if is_loopback(host):
        yield from (f"--server.allowedHosts={name}" for name in _LOCAL_NAMES)


def is_loopback(host: str | None) -> bool:
    """Is this an address that only this machine can reach?"""
    if not host or host == "localhost":
        return host == "localhost"
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
