"""The log: one line for each request, without content: no file names, no client addresses, no images."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

#: All log records of the service; an application that embeds the app sets its level and handlers.
logger = logging.getLogger("mien.web")


class JsonFormatter(logging.Formatter):
    """One line of JSON for each record."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        fields: dict[str, Any] = {
            "time": f"{stamp}.{int(record.created * 1000) % 1000:03d}Z",
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """A short line of text for each record, for a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        facts = " ".join(f"{name}={value}" for name, value in getattr(record, "facts", {}).items())
        line = f"{time.strftime('%H:%M:%S', time.localtime(record.created))} {record.getMessage()} {facts}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def log_event(message: str, *, level: int = logging.INFO, error: BaseException | None = None, **facts: Any) -> None:
    """Log a message with its facts (those that are None are omitted), and with the traceback of ``error``."""
    facts = {name: value for name, value in facts.items() if value is not None}
    logger.log(level, message, exc_info=error, extra={"facts": facts})


def configure_logging(style: str) -> None:
    """Log to stderr. ``style`` is text, json, off, or auto: text on a terminal, else JSON."""
    logging.getLogger("waitress").setLevel(logging.ERROR)
    logger.propagate = False
    logger.setLevel(logging.CRITICAL + 1 if style == "off" else logging.INFO)
    handler = logging.StreamHandler(sys.stderr)
    text = style == "text" or (style == "auto" and sys.stderr.isatty())
    handler.setFormatter(TextFormatter() if text else JsonFormatter())
    logger.handlers[:] = [handler]
