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
        return float(Settings.model_fields[source.removeprefix("APP_").lower()].default)
    module, _, name = source.rpartition(".")
    found: Any = getattr(import_module(module), name)
    return float(found if isinstance(found, int | float) else longest(found))


def longest(kind: Any) -> int:
    schema = TypeAdapter(kind).json_schema()
    return int(schema["maxLength"])
