"""python benchmarks/documents: what PostgreSQL pays for JSON, by the way it is put together."""

import argparse
import asyncio
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
from forms import PAGE, ROW, TABLES

from kingpost.embedded import EmbeddedPostgres


def cpu_microseconds(pid: int) -> float:
    """What a process has used so far, to the nanosecond (proc(5), schedstat)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e3


async def main(url: str, rounds: int, calls: int) -> None:
    connection = await asyncpg.connect(re.sub(r"\+\w+", "", url))
    await connection.execute(TABLES)
    key = await connection.fetchval("SELECT id FROM users LIMIT 1")
    for title, forms, arguments in (("one row by key", ROW, [key]), ("20 rows", PAGE, [])):
        spent = await measure(connection, forms, arguments, rounds, calls)
        first = next(iter(spent.values()))
        print(f"\n| {title} | PostgreSQL's CPU, µs | ratio |\n|---|---|---|")
        for name, one in spent.items():
            print(f"| {name} | {one:.1f} | {one / first:.2f} |")


async def measure(
    connection: asyncpg.Connection,
    forms: dict[str, str],
    arguments: list[object],
    rounds: int,
    calls: int,
) -> dict[str, float]:
    """The cheapest of many short rounds, in which every form takes its turn."""
    server = connection.get_server_pid()
    prepared = {name: await connection.prepare(sql) for name, sql in forms.items()}
    spent: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(rounds):
        for name, statement in prepared.items():
            before = cpu_microseconds(server)
            for _ in range(calls):
                await statement.fetch(*arguments)
            spent[name].append((cpu_microseconds(server) - before) / calls)
    return {name: min(times) for name, times in spent.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--calls", type=int, default=50)
    given = parser.parse_args()
    with (
        TemporaryDirectory(prefix="kp") as folder,
        EmbeddedPostgres(Path(folder), durable=False) as postgres,
    ):
        asyncio.run(main(postgres.url("postgres"), given.rounds, given.calls))
