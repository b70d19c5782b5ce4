"""Checks the query string: every parameter known, given once, and valid UTF-8."""

from collections.abc import Set as AbstractSet
from difflib import get_close_matches
from urllib.parse import parse_qsl, unquote_to_bytes

from kingpost.problems import FieldError, Invalid, UnknownParameter


def check_query(query_string: bytes, known: AbstractSet[str]) -> None:
    """Refuses what a lenient parser would silently drop or repair.

    Args:
        query_string: as it was sent.
        known: the names that the route has parameters for.

    Raises:
        UnknownParameter: a name that the route does not know, with the nearest one it knows.
        Invalid: a name given twice, or a value that is not UTF-8.
    """
    if not query_string:
        return
    names = [_decode(part.partition(b"=")) for part in query_string.split(b"&") if part]
    unknown = sorted(set(names) - known)
    if unknown:
        raise UnknownParameter(errors=[_unknown(name, known) for name in unknown[:20]])
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        detail = "The parameter is given more than once."
        raise Invalid(errors=[FieldError(f"/query/{n}", "repeated", detail) for n in repeated])


def read_query(query_string: bytes, known: AbstractSet[str]) -> dict[str, str]:
    """Checks the query string and reads it.

    Args:
        query_string: as it was sent.
        known: the names that the route has parameters for.

    Returns:
        The values by name; no name is repeated.

    Raises:
        UnknownParameter: a name that the route does not know, with the nearest one it knows.
        Invalid: a name given twice, or a value that is not UTF-8.
    """
    if not query_string:
        return {}
    text = query_string.decode("latin-1")
    if "%" in text or "+" in text or not text.isascii():
        check_query(query_string, known)
        return dict(parse_qsl(text, keep_blank_values=True))
    parts = [part.partition("=") for part in text.split("&") if part]
    values = {name: value for name, _, value in parts}
    if len(values) != len(parts) or not values.keys() <= known:
        check_query(query_string, known)  # which says what is wrong with it
    return values


def _decode(pair: tuple[bytes, bytes, bytes]) -> str:
    name, _, value = (unquote_to_bytes(part.replace(b"+", b" ")) for part in pair)
    shown = name.decode("utf-8", "replace")
    try:
        value.decode("utf-8")
        return name.decode("utf-8")
    except UnicodeDecodeError:
        detail = "The parameter is not valid UTF-8."
        raise Invalid(errors=[FieldError(_pointer(shown), "not_utf8", detail)]) from None


def _unknown(name: str, known: AbstractSet[str]) -> FieldError:
    close = get_close_matches(name[:40], known, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return FieldError(_pointer(name), "unknown_parameter", f"There is no such parameter.{hint}")


def _pointer(name: str) -> str:
    safe = "".join(c if c.isprintable() and c.isascii() else "?" for c in name[:40])
    return "/query/" + safe.replace("~", "~0").replace("/", "~1")
