"""docs/configuration.md says what the settings class says."""

import re
from typing import Any, get_args

import pytest
from annotated_types import Ge, Gt, Le, MinLen
from pydantic.fields import FieldInfo
from tests.architecture.source import ROOT

from app.core.config import Settings

PAGE = (ROOT / "docs/configuration.md").read_text()
ROW = re.compile(r"^\| `APP_([A-Z_]+)` \| (.+?) \| (.+?) \| (.+) \|$", re.MULTILINE)
ROWS = {name.lower(): (default, allowed) for name, default, allowed, _ in ROW.findall(PAGE)}


def test_every_setting_has_its_row_in_the_order_of_the_class() -> None:
    assert list(ROWS) == list(Settings.model_fields)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_row_says_the_default_and_what_is_allowed(name: str) -> None:
    field = Settings.model_fields[name]

    assert ROWS[name] == (default(field), allowed(field))


def default(field: FieldInfo) -> str:
    if field.default is None:
        return "\N{EN DASH}"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    number = isinstance(field.default, float)
    return f"`{field.default:g}`" if number else f"`{field.default}`"


def allowed(field: FieldInfo) -> str:
    found: dict[type, Any] = {type(limit): limit for limit in field.metadata}
    options = get_args(field.annotation)
    if all(isinstance(option, str) for option in options) and options:
        return ", ".join(f"`{option}`" for option in options)
    if bool in options or field.annotation is bool:
        return "`true`, `false`"
    if MinLen in found:
        return f"text, {found[MinLen].min_length} characters or more"
    if Gt in found:
        return f"above {found[Gt].gt}, to {found[Le].le}"
    if Ge in found:
        return f"{found[Ge].ge} to {found[Le].le}" if Le in found else f"from {found[Ge].ge}"
    return "text"
