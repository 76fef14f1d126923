"""Local servers: whether a port is free, which one is, the error where it is not, and the signals that stop one."""

from __future__ import annotations

import errno
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from mien.errors import MienError


def check_port(host: str, port: int) -> Exception | None:
    """The error that a server on this address would get; None if it could listen. Port 0 is always free."""
    try:
        family, kind, protocol, address = _resolve(host, port)
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, ValueError, OverflowError) as error:
        return error
    return None


def find_free_port(host: str) -> int:
    """A port that is free at this moment."""
    family, kind, protocol, address = _resolve(host, 0)
    with socket.socket(family, kind, protocol) as probe:
        probe.bind(address)
        return int(probe.getsockname()[1])


def find_next_port(host: str, port: int) -> int | None:
    """The next free port above ``port``; None if there is none nearby."""
    return next((other for other in range(port + 1, min(port + 100, 65536)) if check_port(host, other) is None), None)


def format_url(host: str, port: int) -> str:
    """The URL of a server for a browser on this machine."""
    return f"http://{local_host(host)}:{port}"


def local_host(host: str) -> str:
    """The host as a browser on this machine writes it: 127.0.0.1 for a server on all addresses, IPv6 in brackets."""
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1"
    return f"[{host.strip('[]')}]" if ":" in host else host


def make_listen_error(host: str, port: int, error: Exception, command: str) -> MienError:
    """The error to report if a server cannot listen; ``command`` starts it and is part of the advice."""
    address = f"{host}, port {port}"
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        free = find_next_port(host, port)
        remedy = f"Port {free} is free: {command} --port {free}" if free else "Choose another with --port"
        return MienError(f"Another program listens on {address}", "A free port was expected", remedy)
    if number == errno.EACCES:
        expected = "Ports below 1024 are for the system's own services"
        remedy = f"Choose one above: {command} --port 8000"
        return MienError(f"This user may not listen on {address}", expected, remedy)
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    remedy = "127.0.0.1 is this machine alone, 0.0.0.0 every address it has"
    return MienError(f"mien cannot listen on {address}: {reason}", "An address of this machine was expected", remedy)


@contextmanager
def handle_stop_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` at SIGTERM and SIGINT. Outside the main thread nothing changes: the main thread handles signals."""
    before = {}
    with suppress(ValueError):  # not the main thread
        for number in (signal.SIGTERM, signal.SIGINT):
            before[number] = signal.signal(number, lambda *_: stop())
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, socket.SocketKind, int, Any]:
    """Family, kind, protocol and address for a socket."""
    # Brackets around an IPv6 address belong to the URL, not to the address.
    family, kind, protocol, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
    return family, kind, protocol, address
