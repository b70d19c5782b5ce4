"""The plugin as somebody else's project sees it."""

from collections.abc import Mapping
from pathlib import Path

import pytest

TESTS = """
    import httpx
    import pytest
    from kingpost.testing.databases import execute
    from shop.models import Author
    from sqlalchemy import func, select, text

    AUTHORS = select(func.count(Author.id))

    @pytest.fixture(scope="session")
    def service_environ(service_environ):
        return {**service_environ, "SHOP_GREETING": "moin"}

    async def test_schema_is_there(database, driver):
        assert database.engine.dialect.driver == driver
        async with database.engine.connect() as connection:
            assert await connection.scalar(AUTHORS) == 0

    @pytest.mark.parametrize("time", [1, 2])
    async def test_rows_are_gone(database, time):
        async with database.engine.begin() as connection:
            assert await connection.scalar(AUTHORS) == 0
            await connection.execute(text("INSERT INTO author VALUES (1, 'Ada')"))
            await connection.execute(text("INSERT INTO book VALUES (1, 1)"))

    async def test_session_is_rolled_back(database, session):
        session.add(Author(id=1, name="Ada"))
        await session.commit()
        assert await session.scalar(AUTHORS) == 1
        async with database.engine.connect() as connection:
            assert await connection.scalar(AUTHORS) == 0

    def test_empty_database_has_no_tables(empty_database_url):
        assert execute(empty_database_url, "SELECT to_regclass('author')") == [(None,)]

    async def test_client_has_the_key_and_the_started_service(app, client, anonymous, api_key):
        assert app.state.started
        assert (await client.get("/hello")).json() == "moin"
        assert api_key == "secret of tests"
        assert client.headers["Authorization"] == f"Bearer {api_key}"
        assert "Authorization" not in anonymous.headers

    @pytest.mark.parametrize("query", ["", "?nplus1=true"], ids=["join", "nplus1"])
    async def test_budget(client, database_url, statements, query):
        execute(database_url, "INSERT INTO author SELECT n, 'Ada' FROM generate_series(1, 3) n")
        with statements(at_most=2):
            answer = await client.get("/authors" + query)
        assert answer.json() == {"1": 0, "2": 0, "3": 0}

    @pytest.mark.parametrize("driver", ["psycopg"], indirect=True)
    def test_own_choice_of_driver(database_url):
        assert "psycopg" in database_url

    def test_server_is_a_process_of_its_own(start_server, server):
        other = start_server(SHOP_GREETING="hej")
        assert httpx.get(other.url + "/hello").json() == "hej"
        assert httpx.get(server.url + "/hello", headers=server.headers).json() == "moin"
        assert other.database_url != server.database_url
        assert other.stop() == 0

    def test_server_cannot_start(start_server):
        start_server(SHOP_GREETINGS="moin")
"""


@pytest.fixture(scope="module")
def output(run_tests, shop: Path) -> str:
    return run_tests(shop, TESTS).stdout


@pytest.fixture(scope="module")
def outcomes(output: str) -> Mapping[str, str]:
    words = [line.split() for line in output.splitlines() if line.startswith("test_shop.py::")]
    return {name.removeprefix("test_shop.py::test_"): outcome for name, outcome, *_ in words}


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
@pytest.mark.parametrize(
    "claim",
    [
        "schema_is_there[{}]",
        "rows_are_gone[{}-1]",
        "rows_are_gone[{}-2]",
        "session_is_rolled_back[{}]",
        "empty_database_has_no_tables[{}]",
        "client_has_the_key_and_the_started_service[{}]",
        "budget[{}-join]",
        "server_is_a_process_of_its_own[{}]",
    ],
)
def test_a_project_can_rely_on(
    output: str, outcomes: Mapping[str, str], claim: str, driver: str
) -> None:
    assert outcomes[claim.format(driver)] == "PASSED", output


def test_an_n_plus_1_breaks_its_budget_and_is_listed(
    output: str, outcomes: Mapping[str, str]
) -> None:
    assert outcomes["budget[asyncpg-nplus1]"] == outcomes["budget[psycopg-nplus1]"] == "FAILED"
    assert "4 statements were sent, at most 2 allowed:" in output
    assert "  1. SELECT author.id" in output


def test_a_test_can_name_its_driver_itself(outcomes: Mapping[str, str]) -> None:
    assert outcomes["own_choice_of_driver[psycopg]"] == "PASSED"
    assert "own_choice_of_driver[asyncpg]" not in outcomes


def test_a_server_that_cannot_start_shows_its_log(output: str, outcomes: Mapping[str, str]) -> None:
    assert outcomes["server_cannot_start[asyncpg]"] == "FAILED"
    assert "SHOP_GREETINGS: there is no such setting" in output


def test_parallel_workers_share_the_server_and_no_rows(run_tests, shop: Path) -> None:
    tests = """
        import pytest
        from kingpost.testing.databases import execute

        @pytest.mark.parametrize("time", range(6))
        def test_it(database_url, driver, time):
            assert driver == "psycopg"
            execute(database_url, "INSERT INTO author VALUES (1, 'Ada')")
            assert execute(database_url, "SELECT count(*) FROM author") == [(1,)]
    """
    done = run_tests(shop, tests, "-n2", "--kingpost-drivers=psycopg")

    assert "6 passed" in done.stdout, done.stdout


def test_an_unknown_driver_is_refused(run_tests, shop: Path) -> None:
    done = run_tests(shop, "def test_it(driver): ...", "--kingpost-drivers=psycopg2")

    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "psycopg2 is none of asyncpg, psycopg" in done.stderr


def test_a_folder_that_is_no_project_is_told_what_is_missing(run_tests, tmp_path: Path) -> None:
    done = run_tests(tmp_path, "def test_it(project): ...", "--rootdir=.")

    assert "no pyproject.toml with a table [tool.kingpost]" in done.stdout


def test_without_a_driver_the_run_fails_and_says_what_to_install(run_tests, shop: Path) -> None:
    tests = """
        import kingpost.testing.options

        kingpost.testing.options.DRIVERS = ("a_driver_that_is_not_installed",)

        def test_it(database_url): ...
    """
    done = run_tests(shop, tests)

    assert done.returncode not in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
    assert "no driver: install kingpost[asyncpg] or kingpost[psycopg]" in done.stdout


def test_an_app_that_leaves_its_database_open_is_told_so(run_tests, shop: Path) -> None:
    tests = """
        import pytest
        from sqlalchemy import text

        from shop.main import create_app

        @pytest.fixture(scope="session")
        def project(project):
            from contextlib import asynccontextmanager

            @asynccontextmanager
            async def forgetful(app):
                yield

            def made(settings):
                app = create_app(settings)
                app.router.lifespan_context = forgetful
                return app

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("shop.main.create_app", made)
                yield project

        async def test_it(client):
            assert (await client.get("/authors")).json() == {}
    """
    done = run_tests(shop, tests, "--kingpost-drivers=asyncpg")

    assert "1 passed, 1 error" in done.stdout, done.stdout
    assert "left 1 connections of its Database open: close it in the lifespan" in done.stdout
    assert "ExceptionGroup" not in done.stdout
