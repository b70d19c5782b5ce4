"""What may satisfy a condition, guessed from the condition itself."""

import re
from collections.abc import Iterator

from kingpost.migrations.rehearsal.patterns import sample
from kingpost.migrations.rehearsal.relations import Column
from kingpost.migrations.rehearsal.values import Values, fold

N = "\u24dd"
"""Stands for the row's number until a statement is written."""

_STRING = re.compile(r"'((?:[^']|'')*)'")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])")
_NUMBERS = {"int2", "int4", "int8", "numeric", "float4", "float8", "money"}
_STEPS = {
    "date": ("({n} % 28)::int", "1"),
    "timestamp": ("{n} * interval '1 microsecond'", "interval '1 day'"),
    "timestamptz": ("{n} * interval '1 microsecond'", "interval '1 day'"),
    "time": ("{n} % 1000 * interval '1 microsecond'", "interval '1 minute'"),
    "interval": ("{n} * interval '1 microsecond'", "interval '1 day'"),
}
_LONGEST = 4000


def candidates(values: Values, column: Column, conditions: str) -> list[str]:
    """Values to try, those first that differ from row to row.

    Args:
        values: that make the usual one.
        column: whose value is looked for.
        conditions: the definitions of the constraints that speak of it.

    Returns:
        SQL with `N` for the row's number, without duplicates.
    """
    kind = values.base(column)[0]
    strings = [found.replace("''", "'") for found in _STRING.findall(conditions)]
    numbers = _NUMBER.findall(_STRING.sub(" ", conditions))
    numbers += [string for string in strings if _NUMBER.fullmatch(string)]
    found: list[str] = []
    if values.is_text(column):
        found += _texts(strings, numbers)
    elif kind.name in _NUMBERS:
        found += _numbers(numbers)
    elif kind.name in _STEPS:
        found += _moments(kind.name, kind.shown, strings)
    elif kind.element:
        found += _arrays(values, column, strings, numbers)
    elif kind.name == "bytea":
        found += [_bytes(int(size)) for size in numbers if _is_size(size)]
    elif kind.name in {"json", "jsonb"}:
        found += _documents(strings)
    found += [one for step in (1, 2) if (one := values.of(column, f"({N} + {step})"))]
    found += [_literal(string) for string in strings]
    found += ["true", "false"] if kind.name == "bool" else []
    typed = [f"({value})::{column.shown}" for value in dict.fromkeys(found)]
    typed += [f"({column.default})::{column.shown}"] if column.default else []
    return typed + ([f"NULL::{column.shown}"] if column.nullable else [])


def _texts(strings: list[str], numbers: list[str]) -> Iterator[str]:
    if len(strings) > 1:
        yield f"(ARRAY[{', '.join(map(_literal, strings))}])[1 + ({N} % {len(strings)})::int]"
    for string in strings:
        if (matching := sample(string, N)) is not None:
            yield matching
        if "%" in string:
            yield " || ".join(map(_literal, string.replace("_", "x").split("%"))).replace(
                " || ", f" || {N} || ", 1
            )
        yield f"{_literal(string)} || {N}"
        yield f"{N} || {_literal(string)}"
    for size in {int(number) for number in numbers if _is_size(number)}:
        padded = f"lpad(({fold(N, 10 ** min(size, 9))})::text, {size}, '0')"
        yield from (padded, f"translate({padded}, '0123456789', 'ABCDEFGHIJ')")
    digits = f"translate({N}::text, '0123456789', 'abcdefghij')"
    yield from (f"'u' || {N} || '@example.org'", f"'v{'-'}' || {N}", f"'v' || {N}", f"'V' || {N}")
    yield from (digits, f"upper({digits})", f"initcap({digits})", f"'/' || {N}")
    yield from (f"'https://example.org/' || {N}", f"'+49' || lpad({N}::text, 10, '0')")
    yield f"md5({N}::text)::uuid::text"


def _numbers(numbers: list[str]) -> Iterator[str]:
    signed = [*numbers, *(f"-{number}" for number in numbers if not number.startswith("-"))]
    for low in signed:
        for high in signed:
            if float(low) < float(high):
                yield f"{low} + {N} % greatest(({high} - {low})::bigint, 1)"
    for number in signed:
        yield from (f"{number} + {N}", f"{number} - {N}", f"{number} + 1", f"{number} - 1", number)
        yield from (f"{number} * {N}", f"{number} + 0.5 / (1 + {N})")
    yield from (f"-{N}", f"{N} % 100", f"{N} % 10", f"1.0 / (1 + {N})", "1", "0")


def _moments(name: str, shown: str, strings: list[str]) -> Iterator[str]:
    small, step = (part.format(n=N) for part in _STEPS[name])
    for string in strings:
        literal = f"{_literal(string)}::{shown}"
        yield from (f"{literal} + {small}", f"{literal} + {step}", f"{literal} - {step}")
    for day in ("2000-01-01", "2020-02-01", "2100-01-01") if name != "interval" else ():
        yield f"{_literal(day)}::{'timestamptz' if name == 'time' else shown} + {small}"


def _arrays(
    values: Values, column: Column, strings: list[str], numbers: list[str]
) -> Iterator[str]:
    element = values.types[values.base(column)[0].element]
    for string in strings:
        yield f"ARRAY[{_literal(string)}]"
    for size in {int(number) for number in numbers if _is_size(number)}:
        yield f"array_fill(({values.of(column, N)})[1], ARRAY[{size}])"
    yield f"ARRAY[]::{element.shown}[]"


def _bytes(size: int) -> str:
    digits = f"repeat(md5({N}::text), {size // 16 + 1})"
    return f"substr(decode({digits}, 'hex'), 1, {size})"


def _documents(strings: list[str]) -> Iterator[str]:
    for key in strings:
        for value in strings:
            if key != value:
                yield f"json_build_object({_literal(key)}, {_literal(value)})"
    if strings:
        yield f"json_build_object({', '.join(f'{_literal(string)}, {N}' for string in strings)})"
    yield from (f"json_build_array({N})", "'{}'", "'[]'", f"to_json({N})", f"to_json({N}::text)")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _is_size(number: str) -> bool:
    return number.isdigit() and 0 < int(number) <= _LONGEST
