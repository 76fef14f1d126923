"""One line for each request, without content: no names of files, no addresses of clients, no pictures."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

#: Everything the service has to say goes through here; whoever embeds the app sets its level and handlers.
logger = logging.getLogger("mien.web")


class JsonFormatter(logging.Formatter):
    """A line of JSON for programs."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {"time": _stamp(record.created), "level": record.levelname.lower()}
        told |= {"message": record.getMessage(), **getattr(record, "facts", {})}
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """A short line for people."""

    def format(self, record: logging.LogRecord) -> str:
        facts = " ".join(f"{name}={value}" for name, value in getattr(record, "facts", {}).items())
        line = f"{time.strftime('%H:%M:%S', time.localtime(record.created))} {record.getMessage()} {facts}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def log_event(message: str, *, level: int = logging.INFO, **facts: Any) -> None:
    """A line with facts beside it; those that are None are left out."""
    logger.log(level, message, extra={"facts": {name: value for name, value in facts.items() if value is not None}})


def configure_logging(kind: str) -> None:
    """Send the lines to stderr: ``auto`` is text on a terminal and JSON elsewhere."""
    logging.getLogger("waitress").setLevel(logging.ERROR)
    logger.propagate = False
    logger.setLevel(logging.CRITICAL + 1 if kind == "off" else logging.INFO)
    handler = logging.StreamHandler(sys.stderr)
    text = kind == "text" or (kind == "auto" and sys.stderr.isatty())
    handler.setFormatter(TextFormatter() if text else JsonFormatter())
    logger.handlers[:] = [handler]


def _stamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds * 1000) % 1000:03d}Z"
