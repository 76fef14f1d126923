"""Why a window cannot listen where it was told to, in one sentence; and which port is free."""

from __future__ import annotations

import errno
import socket

from mien.errors import MienError


def listens(host: str, port: int) -> Exception | None:
    """What would stop a program from listening there; None where nothing does. Port 0 is always free."""
    try:
        # What stands in brackets in an address is none of the name.
        family, kind, protocol, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except (OSError, ValueError, OverflowError) as error:
        return error
    return None


def refused(host: str, port: int, error: Exception, command: str) -> MienError:
    """The sentence for it; ``command`` is how the window is started, for naming a port that is free."""
    where = f"{host}, port {port}"
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        free = next_free(host, port)
        remedy = f"Port {free} is free: {command} --port {free}" if free else "Choose another with --port"
        return MienError(f"Another program listens on {where}", "A free port was expected", remedy)
    if number == errno.EACCES:
        expected = "Ports below 1024 are for the system's own services"
        return MienError(f"This user may not listen on {where}", expected, f"Choose one above: {command} --port 8000")
    told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    remedy = "127.0.0.1 is this machine alone, 0.0.0.0 every address it has"
    return MienError(f"mien cannot listen on {where}: {told}", "An address of this machine was expected", remedy)


def next_free(host: str, port: int) -> int | None:
    """The next port on which nobody listens; None if there is none nearby."""
    return next((other for other in range(port + 1, min(port + 100, 65536)) if listens(host, other) is None), None)
