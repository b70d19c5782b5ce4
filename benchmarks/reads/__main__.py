"""python benchmarks/reads: the table of README.md."""

import argparse
import re
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import asyncpg
import uvloop
from layers import KEYS, Layer, kingpost_layers, raw_asyncpg, raw_psycopg
from measured import Spent, measure

from kingpost.embedded import EmbeddedPostgres

ROWS = 20_000
TABLE = """
    CREATE TABLE users (
        id uuid PRIMARY KEY, email text NOT NULL, name text, created_at timestamptz NOT NULL
    );
    INSERT INTO users
    SELECT gen_random_uuid(), n || '@example.org', 'User ' || n, now() FROM generate_series(1, $) n;
    ANALYZE users;
"""


async def main(url: str, server: int, rounds: int, calls: int) -> None:
    plain = re.sub(r"\+\w+", "", url)
    connection = await asyncpg.connect(plain)
    await connection.execute(TABLE.replace("$", str(ROWS)))
    found = await connection.fetch("SELECT id FROM users ORDER BY id LIMIT $1", KEYS)
    keys = [UUID(bytes=row[0].bytes) for row in found]
    await connection.close()
    async with AsyncExitStack() as stack:
        for driver, raw in (("asyncpg", raw_asyncpg), ("psycopg", raw_psycopg)):
            layers: dict[str, Layer] = await raw(plain, stack)
            address = url.replace("+asyncpg", f"+{driver}")
            layers |= await kingpost_layers(address, stack)
            spent = await measure(layers, keys, server, rounds=rounds, calls=calls)
            print("\n".join(table(driver, spent)), "\n")


def table(driver: str, spent: dict[str, Spent]) -> list[str]:
    first = next(iter(spent.values()))
    lines = [f"| {driver} | our CPU, µs | ratio | PostgreSQL's, µs |", "|---|---|---|---|"]
    for name, one in spent.items():
        ratio = one.ours / first.ours
        lines.append(f"| {name} | {one.ours:.0f} | {ratio:.2f} | {one.theirs:.0f} |")
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=960)
    given = parser.parse_args()
    with (
        TemporaryDirectory(prefix="kp") as folder,
        EmbeddedPostgres(Path(folder), durable=False) as postgres,
    ):
        server = int((Path(folder) / "data" / "postmaster.pid").read_text().split()[0])
        uvloop.run(main(postgres.url("postgres"), server, given.rounds, given.calls))
