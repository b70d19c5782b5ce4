"""Statements that are compiled once and then sent without SQLAlchemy."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import ARRAY, JSON, ClauseElement, ColumnElement, Select, any_, bindparam

from kingpost.database.drivers import compiling_dialect
from kingpost.database.guards import SessionMisuse, writing_verb

_Processor = Callable[[Any], Any]
KEYS = "keys"


class Statement:
    """SQL as a driver takes it, and how values become its arguments.

    Args:
        clause: what SQLAlchemy compiles.
        driver: `asyncpg` or `psycopg`.

    Attributes:
        sql: with `$1` for the first argument.
    """

    __slots__ = ("_binds", "_fixed", "sql")

    def __init__(self, clause: ClauseElement, driver: str) -> None:
        dialect = compiling_dialect(driver)
        compiled: Any = clause.compile(dialect=dialect)
        self.sql = str(compiled)
        self._binds: list[tuple[str, _Processor | None]] = []
        self._fixed: dict[str, Any] = {}
        for name in compiled.positiontup or ():
            bind = compiled.binds[name]
            if bind.expanding or bind in compiled.literal_execute_params:
                raise SessionMisuse(
                    f"{name} changes the text of the statement, so it cannot be compiled once: "
                    "compare with any_(bindparam(…)) instead of in_()"
                )
            if not bind.required:
                self._fixed[name] = bind.effective_value
            processor = bind.type.dialect_impl(dialect).bind_processor(dialect)
            self._binds.append((name, processor))

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """The values in the order of the statement, as the driver takes them.

        Args:
            values: of the bind parameters that have none of their own.

        Returns:
            One for each `$1`, `$2` …

        Raises:
            SessionMisuse: a value is missing.
        """
        given = {**self._fixed, **values} if self._fixed else values
        try:
            return [
                given[name] if process is None else process(given[name])
                for name, process in self._binds
            ]
        except KeyError:
            missing = ", ".join(name for name, _ in self._binds if name not in given)
            raise SessionMisuse(f"the statement needs a value for {missing}") from None


class Query:
    """A SELECT, made once when its module is imported and compiled when it is first sent.

    Its rows are what the driver gives: no objects, and no JSON, on which the drivers differ;
    cast that to text.

    Args:
        statement: the values that change are `bindparam("name")`.

    Raises:
        SessionMisuse: a column of the rows is JSON.
    """

    __slots__ = ("_compiled", "statement")

    def __init__(self, statement: Select[*tuple[Any, ...]]) -> None:
        for column in statement.selected_columns:
            if isinstance(column.type, JSON):
                raise SessionMisuse(f"the column {column} is JSON: cast it to text")
        self.statement = statement
        self._compiled: dict[str, Statement] = {}

    def compiled(self, driver: str) -> Statement:
        """The statement for a driver.

        Args:
            driver: `asyncpg` or `psycopg`.

        Returns:
            Always the same.

        Raises:
            SessionMisuse: it would write or lock.
        """
        known = self._compiled.get(driver)
        if known is None:
            known = Statement(self.statement, driver)
            if (verb := writing_verb(known.sql)) is not None:
                raise SessionMisuse(f"a query may not send {verb}: use a unit of work")
            self._compiled[driver] = known
        return known


class KeyQuery:
    """A SELECT of a row for a key, which serves many keys at once.

    Args:
        statement: selects the rows of all keys.
        key: unique among them, such as the primary key. Two keys are the same when Python says
            so: a UUID or number, or a text that is compared byte by byte.

    Attributes:
        query: what is sent: the rows whose key is among `keys`, each with its key at the end.
        key_type: what a key has to be in Python.
    """

    __slots__ = ("key_type", "query")

    def __init__(self, statement: Select[Any], key: ColumnElement[Any]) -> None:
        keys = bindparam(KEYS, type_=ARRAY(key.type))
        self.query = Query(statement.add_columns(key).where(key == any_(keys)))
        self.key_type: type[Any] = key.type.python_type
