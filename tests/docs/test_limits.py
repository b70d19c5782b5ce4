"""docs/limits.md says what the settings and the code say."""

import re
from importlib import import_module
from typing import Any

import pytest
from pydantic import TypeAdapter
from tests.architecture.source import ROOT

from app.core.config import Settings

PAGE = (ROOT / "docs/limits.md").read_text()
ROW = re.compile(
    r"^\| ([^|]+) \| ([0-9.]+)[^|]* \|(?: [^|]+ \|)? `([A-Za-z_.0-9]+)` \|$", re.MULTILINE
)
ROWS = ROW.findall(PAGE)
UPPER_BOUNDS = ("maxLength", "maxItems", "maximum")
DERIVED = {"body_timeout": Settings().content_seconds}


def test_no_row_is_left_out_of_the_comparison() -> None:
    with_a_source = [line for line in PAGE.splitlines() if line.endswith("` |")]

    assert len(ROWS) == len(with_a_source) > 20


@pytest.mark.parametrize(("what", "limit", "source"), ROWS)
def test_the_limit_is_the_one_of_its_source(what: str, limit: str, source: str) -> None:
    assert float(limit) == value_of(source), what


def test_every_limit_of_the_settings_is_listed() -> None:
    named = {source.removeprefix("APP_").lower() for _, _, source in ROWS}
    limits = {n for n in Settings.model_fields if n.startswith("max_") or n.endswith("_timeout")}

    assert limits <= named


def value_of(source: str) -> float:
    if source.startswith("APP_"):
        name = source.removeprefix("APP_").lower()
        default = Settings.model_fields[name].default
        return float(DERIVED[name] if default is None else default)
    found = named(source)
    return float(found if isinstance(found, int | float) else largest(schema_of(*found)))


def named(source: str) -> Any:
    """A constant as it is; a type with the field that is meant, if it is a schema's."""
    module, _, name = source.rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except ModuleNotFoundError:
        return named(module)[0], name
    return found if isinstance(found, int | float) else (found, None)


def schema_of(kind: Any, field: str | None) -> Any:
    schema = TypeAdapter(kind).json_schema()
    return schema["properties"][field] if field else schema


def largest(schema: Any) -> int:
    """The upper bound of a text, a list or a number, which may be left out."""
    kinds = [schema, *schema.get("anyOf", ())]
    (found,) = {kind[n] for kind in kinds for n in UPPER_BOUNDS if n in kind}
    return int(found)
