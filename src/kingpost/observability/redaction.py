"""Keeps secrets out of logs, whoever writes them."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

HIDDEN = "[hidden]"

_PLAIN = (str, int, float, type(None))
_SECRET_NAME = re.compile(
    r"(^|[_.\s-])(authorization|cookie|password|passwd|pwd|pepper|secret|token|api[_-]?key)s?"
    r"(_hash)?$",
    re.IGNORECASE,
)
_API_KEY = re.compile(r"\bkp_[A-Za-z0-9]+_[A-Za-z0-9_]+")
_CREDENTIALS = re.compile(r"\b(bearer|basic)(\s+)[A-Za-z0-9._~+/=:-]{6,}", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@\"'<>]*:)[^\s\"'<>]*@", re.IGNORECASE)
_PARAMETER = re.compile(r"\b((?:pg)?password=)([^\s&\"'\\]+)", re.IGNORECASE)


def hide_in_text(text: str) -> str:
    """Replaces what looks like a secret in a text.

    API keys (`kp_…`), credentials of an `Authorization` header, passwords in URLs and in libpq
    connection strings.

    Args:
        text: any text, also a rendered line of JSON, which stays JSON.

    Returns:
        The text with `[hidden]` in their places.
    """
    # Every line of the log comes through here, and nearly none has anything to hide.
    lower = text.lower()
    if "kp_" in text:
        text = _API_KEY.sub(HIDDEN, text)
    if "bearer" in lower or "basic" in lower:
        text = _CREDENTIALS.sub(rf"\1\2{HIDDEN}", text)
    if "password=" in lower:
        text = _PARAMETER.sub(rf"\1{HIDDEN}", text)
    return _URL_PASSWORD.sub(rf"\1{HIDDEN}@", text) if "://" in text else text


def hide_by_name(values: Mapping[str, Any], depth: int = 4) -> dict[str, Any]:
    """Replaces values whose name says that they are secret, in nested mappings and lists too.

    Args:
        values: fields of a log event.
        depth: how many levels down to look.

    Returns:
        A copy with `[hidden]` in their places.
    """
    return {
        key: HIDDEN if _is_secret(str(key)) else _hide(value, depth)
        for key, value in values.items()
    }


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def _hide(value: Any, depth: int) -> Any:
    if isinstance(value, _PLAIN) or depth == 0:
        return value
    if isinstance(value, Mapping):
        return hide_by_name(value, depth - 1)
    if isinstance(value, list | tuple):
        return [_hide(item, depth - 1) for item in value]
    return value
