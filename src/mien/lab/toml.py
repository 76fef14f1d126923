"""TOML as a person would write it, from plain tables: what ``tomllib`` reads, written."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def written(table: Mapping[str, Any]) -> str:
    """The table as TOML: plain values first, then a section for each table, then one for each of a list of tables."""
    return "\n".join(_lines(table, ())).strip() + "\n"


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    lines = [f"{_key(name)} = {_value(value)}" for name, value in table.items() if not _is_section(value)]
    for name, value in table.items():
        here = (*path, name)
        if isinstance(value, Mapping) and _is_section(value):
            lines += ["", f"[{_dotted(here)}]", *_lines(value, here)]
        elif _is_section(value):
            lines += [line for one in value for line in ("", f"[[{_dotted(here)}]]", *_values(one))]
    return lines


def _values(table: Mapping[str, Any]) -> list[str]:
    """Tables inside a list stay on one line each: a label map is read better so."""
    return [f"{_key(name)} = {_value(value)}" for name, value in table.items()]


def _is_section(value: Any) -> bool:
    """A table, or a list of tables; an empty list is a value."""
    if isinstance(value, Mapping):
        return True
    return isinstance(value, Sequence) and not isinstance(value, str) and any(isinstance(one, Mapping) for one in value)


def _dotted(path: tuple[str, ...]) -> str:
    return ".".join(map(_key, path))


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_key(name)} = {_value(each)}" for name, each in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, Sequence):
        return f"[{', '.join(map(_value, value))}]"
    return repr(value)


def _text(text: str) -> str:
    """JSON's escapes are TOML's, but for one control character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
