"""A value of any type as a function of a row's number, as SQL."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kingpost.migrations.rehearsal.relations import Column, Type

FAR = 1_000_000_000
"""Numbers from here on are those of traffic; small types fold them to the end of their range."""

_TEXTS = {"text", "varchar", "bpchar", "citext", "name"}
_HALF_OPEN = {"int2", "int4", "int8", "numeric", "float4", "float8"}
_HALF_OPEN_TIMES = {"date", "timestamp", "timestamptz"}
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"

_BY_NAME = {
    "int4": "{n}",
    "int8": "{n}",
    "oid": "{n}",
    "float4": "{n}",
    "float8": "{n}",
    "money": "{n}",
    "bool": "{n} % 2 = 0",
    "char": "chr(97 + ({n} % 26)::int)",
    "bytea": "decode(md5({n}::text), 'hex')",
    "uuid": "md5({n}::text)",
    "date": "date '2020-01-01' + ({n} % 1000000000 % 1000000)::int",
    "timestamp": "timestamp '2020-01-01' + {n} * interval '1 second'",
    "timestamptz": "timestamptz '2020-01-01 00:00:00+00' + {n} * interval '1 second'",
    "time": "time '00:00' + ({n} % 86400) * interval '1 second'",
    "timetz": "(time '00:00' + ({n} % 86400) * interval '1 second')::timetz",
    "interval": "{n} * interval '1 second'",
    "json": "json_build_object('n', {n})",
    "jsonb": "jsonb_build_object('n', {n})",
    "jsonpath": "'$.n' || {n}",
    "inet": "inet '10.0.0.0' + {n} % 16777216",
    "cidr": "inet '10.0.0.0' + {n} % 16777216",
    "macaddr": "lpad(to_hex({n}), 12, '0')",
    "macaddr8": "lpad(to_hex({n}), 16, '0')",
    "tsvector": "to_tsvector('simple', {n}::text)",
    "tsquery": "to_tsquery('simple', {n}::text)",
    "xml": "'<n>' || {n} || '</n>'",
    "point": "point({n}, {n})",
    "line": "line(point(0, {n}), point(1, {n}))",
    "lseg": "lseg(point(0, {n}), point(1, {n}))",
    "box": "box(point({n}, {n}), point({n} + 0.5, {n} + 0.5))",
    "path": "'((0,0),(1,' || {n} || '))'",
    "polygon": "polygon(box(point({n}, {n}), point({n} + 0.5, {n} + 0.5)))",
    "circle": "circle(point({n}, {n}), 0.5)",
    "pg_lsn": "'0/' || to_hex({n})",
    "xid": "{n}::text",
    "xid8": "{n}::text",
    "tid": "'(' || {n} % 1000000 || ',1)'",
    "hstore": "'n=>' || {n}",
    "ltree": "'n' || {n}",
    "geometry": "'SRID=4326;POINT(' || {n} % 180 || ' ' || {n} % 90 || ')'",
    "geography": "'SRID=4326;POINT(' || {n} % 180 || ' ' || {n} % 90 || ')'",
}

_EDGES = {
    "int2": ("-32768", "32767", "0"),
    "int4": ("-2147483648", "2147483647", "0"),
    "int8": ("-9223372036854775808", "9223372036854775807", "0"),
    "float4": ("0", "-1e30"),
    "float8": ("0", "-1e300"),
    "bytea": ("''",),
    "date": ("'0001-01-01'", "'9999-12-31'"),
    "timestamp": ("'0001-01-01'", "'9999-12-31'"),
    "timestamptz": ("'0001-01-02 00:00+00'", "'9999-12-30 00:00+00'"),
    "interval": ("'0'", "'-1 year'"),
    "json": ("'{}'", "'[]'", "'null'"),
    "jsonb": ("'{}'", "'[]'", "'null'"),
}


@dataclass(frozen=True, slots=True)
class Values:
    """Makes values.

    Args:
        types: of the database, by oid.
        rows: columns of composite types, by the oid of their relation.
    """

    types: Mapping[int, Type]
    rows: Mapping[int, tuple[Column, ...]]

    def of(self, column: Column, n: str = "n") -> str | None:
        """The value of a column in the row of a number.

        The same type and number give the same value in each table, so that a foreign key from
        one to another would hold; different numbers give different ones as far as the type
        allows.

        Args:
            column: whose value.
            n: SQL for the number, a bigint from 1.

        Returns:
            SQL of the column's type; None for a type that is not known.
        """
        return self._typed(column.type, column.modifier, column.shown, f"({n})")

    def base(self, column: Column) -> tuple[Type, int]:
        """The type below domains.

        Args:
            column: of which.

        Returns:
            The type, and its modifier.
        """
        found, modifier = self.types[column.type], column.modifier
        while found.kind == "d":
            modifier = found.base_modifier
            found = self.types[found.base]
        return found, modifier

    def is_text(self, column: Column) -> bool:
        """Whether the column holds text of any kind."""
        return self.base(column)[0].name in _TEXTS

    def edges(self, column: Column) -> tuple[str, ...]:
        """Values at the edges of a column's type: longest, empty, largest, smallest.

        Args:
            column: of which.

        Returns:
            SQL of the column's type.
        """
        found, modifier = self.base(column)
        raw = _EDGES.get(found.name, ())
        if found.element:
            raw = ("'{}'",)
        elif found.name in _TEXTS - {"name"}:
            size = modifier - 4 if modifier > 4 else 1000
            raw = (f"repeat('W', {size})", "''", f"left('Zoë 漢字 🙂 عربي', {size})")
        elif found.name == "numeric" and modifier > 4:
            whole, scale = _precision(modifier)
            raw = (f"-{'9' * whole or '0'}.{'9' * scale or '0'}", "0")
        return tuple(f"({value})::{column.shown}" for value in raw)

    def _typed(self, oid: int, modifier: int, shown: str, n: str) -> str | None:
        raw = self._raw(self.types[oid], modifier, n)
        return None if raw is None else f"({raw})::{shown}"

    def _raw(self, found: Type, modifier: int, n: str) -> str | None:
        makers: dict[str, Callable[[Type, str], str | None]] = {
            "d": self._domain,
            "e": _label,
            "c": self._row,
            "r": self._range,
            "m": self._multirange,
        }
        maker = self._array if found.element else makers.get(found.kind)
        return maker(found, n) if maker else _simple(found, modifier, n)

    def _domain(self, found: Type, n: str) -> str | None:
        base = self.types[found.base]
        return self._typed(base.oid, found.base_modifier, base.shown, n)

    def _array(self, found: Type, n: str) -> str | None:
        element = self.types[found.element]
        inner = self._typed(element.oid, -1, element.shown, n)
        return inner and f"ARRAY[{inner}]"

    def _row(self, found: Type, n: str) -> str | None:
        values = [self.of(column, n) for column in self.rows.get(found.row, ())]
        return f"ROW({', '.join(value or 'NULL' for value in values)})" if values else None

    def _multirange(self, found: Type, n: str) -> str | None:
        inner = self._range(self.types[found.range], n)
        return inner and f"{found.shown}({inner})"

    def _range(self, found: Type, n: str) -> str | None:
        subtype = self.types[found.subtype]
        low = self._typed(subtype.oid, -1, subtype.shown, n)
        if low is None:
            return None
        if subtype.name not in _HALF_OPEN | _HALF_OPEN_TIMES:
            return f"{found.shown}({low}, {low}, '[]')"
        high = self._typed(subtype.oid, -1, subtype.shown, f"({n} + 1)")
        return f"{found.shown}({low}, {high})"


def _simple(found: Type, modifier: int, n: str) -> str | None:
    if found.name in _TEXTS:
        return _text(n, modifier - 4 if modifier > 4 else 0)
    if found.name == "int2":
        return fold(n, 32768)
    if found.name == "numeric":
        whole, scale = _precision(modifier) if modifier > 4 else (20, 0)
        number = fold(n, 10 ** max(whole, 0)) if whole < 10 else n
        return f"{number}::numeric / {10**scale}" if whole <= 0 else number
    if found.name in {"bit", "varbit"}:
        size = min(modifier, 64) if modifier > 0 else 32
        return f"{n}::bit({size})" if modifier <= 64 else f"{n}::bit(64)::bit({modifier})"
    if found.name in {"vector", "halfvec"}:
        return f"array_fill(({n} % 1000)::real, ARRAY[{modifier if modifier > 0 else 3}])"
    template = _BY_NAME.get(found.name)
    return template and template.format(n=n)


def _label(found: Type, n: str) -> str | None:
    if not found.labels:
        return None
    return f"(enum_range(NULL::{found.shown}))[1 + ({n} % {found.labels})::int]"


def _precision(modifier: int) -> tuple[int, int]:
    """Digits before and after the point, of a numeric's modifier."""
    precision = (modifier - 4) >> 16 & 0xFFFF
    scale = ((modifier - 4 & 0x7FF) ^ 1024) - 1024  # eleven bits with a sign, since PostgreSQL 15
    return precision - scale, max(scale, 0)


def _text(n: str, size: int) -> str:
    """The number in decimal, or with 36 digits where the column is too short for that."""
    if not size:
        return f"{n}::text"
    if size >= 5:
        return f"right({n}::text, {size})"
    number = fold(n, 36**size)
    places = (
        f"substr('{_DIGITS}', 1 + (({number}) / {36**place} % 36)::int, 1)"
        for place in reversed(range(size))
    )
    return " || ".join(places)


def fold(n: str, size: int) -> str:
    """A number below a limit, different for different numbers as long as there are some left.

    Args:
        n: SQL for the number.
        size: the limit.

    Returns:
        SQL; numbers of traffic are mapped to the last thousand.
    """
    far = f"WHEN {n} >= {FAR} THEN {size - 1} - {n} % {min(size, 1000)} "
    return f"CASE WHEN {n} < {min(size, FAR)} THEN {n} {far}ELSE {n} % {size} END"
