"""How many rows the tables of production have, read from a file that production's own SQL made."""

import json
from pathlib import Path

# The estimates of ANALYZE and of the statistics of use, the higher one of both; a table that
# neither knows is left out, since it may be of any size (PostgreSQL, chapters 52.11 and 27.2).
STATISTICS_SQL = """\
WITH sizes AS (
  SELECT c.oid, c.relkind, n.nspname, c.relname,
         CASE WHEN c.reltuples >= 0 THEN greatest(c.reltuples, s.n_live_tup, 0) END AS rows
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_stat_all_tables s ON s.relid = c.oid
   WHERE c.relkind IN ('r', 'm', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
), totals AS (
  SELECT nspname, relname, CASE relkind WHEN 'p' THEN (
           SELECT CASE WHEN bool_and(leaf.rows IS NOT NULL) THEN sum(leaf.rows) END
             FROM pg_catalog.pg_partition_tree(sizes.oid) part
             JOIN sizes leaf ON leaf.oid = part.relid
            WHERE part.isleaf) ELSE rows END AS rows
    FROM sizes
)
SELECT coalesce(json_object_agg(
         CASE nspname WHEN 'public' THEN '' ELSE nspname || '.' END || relname, rows::bigint
         ORDER BY nspname, relname), '{}')
  FROM totals
 WHERE rows IS NOT NULL;
"""


class StatisticsError(ValueError):
    """The file is none of statistics; the message is one line."""


def read_statistics(file: Path) -> dict[str, int]:
    """Reads what STATISTICS_SQL has made.

    Args:
        file: a JSON object with the number of rows by table, the schema before the name unless
            that is `public`.

    Returns:
        Rows by table, named as in a report.

    Raises:
        StatisticsError: it cannot be read, or holds something else.
    """
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise StatisticsError(f"{file}: {error.strerror or error}") from error
    except ValueError as error:  # neither UTF-8 nor JSON
        raise StatisticsError(f"{file}: not JSON ({error}); {_MADE_BY}") from error
    if not isinstance(read, dict) or not all(map(_is_count, read.values())):
        raise StatisticsError(f'{file}: not {{"table": rows, …}} with whole numbers; {_MADE_BY}')
    return {name.removeprefix("public."): rows for name, rows in read.items()}


_MADE_BY = "make it with the query of `kingpost db rehearse --statistics-sql`"


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
