"""python benchmarks/writes: the tables of README.md."""

import argparse
import json
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import asyncpg
import uvloop
from drivers import WithAsyncpg, WithPsycopg, libpq
from measured import Spent, Write, measure
from variants import WithKingpost, WithSqlalchemy

from kingpost.embedded import EmbeddedPostgres
from kingpost.migrations.runner import upgrade

ROOT = Path(__file__).parents[2]
OF_THE_DRIVER = {
    "driver, in a transaction": "transaction",
    "driver, in a pipeline": "pipeline",
    "driver, one statement, read back": "read_back",
    "driver, one statement, given twice": "given_twice",
}


async def variants(url: str, author: UUID, stack: AsyncExitStack, driver: str) -> dict[str, Write]:
    kingpost = WithKingpost(url.replace("asyncpg", driver), author)
    stack.push_async_callback(kingpost.database.close)
    sqlalchemy = WithSqlalchemy(url.replace("asyncpg", driver), author)
    stack.push_async_callback(sqlalchemy.engine.dispose)
    raw = await (WithAsyncpg if driver == "asyncpg" else WithPsycopg).open(url, author, stack)
    return {
        "UnitOfWork.run, ORM": kingpost.unit_of_work,
        "bare session, ORM": sqlalchemy.orm,
        "Core in a transaction": sqlalchemy.core,
        **{name: getattr(raw, call) for name, call in OF_THE_DRIVER.items() if hasattr(raw, call)},
        "UnitOfWork.insert": kingpost.insert,
    }


async def compare(url: str, server: int, given: argparse.Namespace) -> None:
    author = await make_author(url)
    for driver in ("asyncpg", "psycopg"):
        async with AsyncExitStack() as stack:
            found = await variants(url, author, stack, driver)
            await check_that_all_answer_alike(found)
            spent = await measure(
                found, server, rounds=given.rounds, writes=given.writes, tasks=given.tasks
            )
        show(driver, spent)


async def make_author(url: str) -> UUID:
    connection = await asyncpg.connect(**libpq(url))
    author: UUID = await connection.fetchval(
        "INSERT INTO users (id, email, name) VALUES (gen_random_uuid(), $1, $2) RETURNING id",
        "ada@example.org",
        "Ada",
    )
    await connection.close()
    return author


async def check_that_all_answer_alike(found: dict[str, Write]) -> None:
    answers: list[Any] = [json.loads(await write()) for write in found.values()]
    for answer in answers:
        for made in ("id", "created_at", "updated_at"):
            del answer[made]
        assert answer == answers[0], (answer, answers[0])


def show(driver: str, spent: dict[str, Spent]) -> None:
    own = spent["UnitOfWork.insert"].ours
    print(f"\n| {driver} | our CPU, µs | ratio | PostgreSQL's, µs |\n|---|---|---|---|")
    for name, one in spent.items():
        print(f"| {name} | {one.ours:.0f} | {one.ours / own:.2f} | {one.theirs:.0f} |")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--writes", type=int, default=320)
    parser.add_argument("--tasks", type=int, default=32)
    given = parser.parse_args()
    with (
        TemporaryDirectory(prefix="kp", dir="/tmp") as folder,
        EmbeddedPostgres(Path(folder)) as server,
    ):
        server.create_database("writes")
        upgrade(ROOT / "src/app/migrations", server.url("writes"))
        process = int((Path(folder) / "data/postmaster.pid").read_text().split()[0])
        uvloop.run(compare(server.url("writes"), process, given))


main()
