import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from kingpost.testing.statements import StatementBudget, StatementBudgetExceeded


async def send(url: str, *statements: str) -> None:
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


async def test_the_exact_number_passes_and_the_statements_can_be_read(
    empty_database_url: str, statements: StatementBudget
) -> None:
    with statements(2) as sent:
        await send(empty_database_url, "SELECT 1", "SELECT 2")

    assert sent == ["SELECT 1", "SELECT 2"]


@pytest.mark.parametrize("allowed", [1, 3])
async def test_another_number_fails_and_lists_the_statements(
    empty_database_url: str, statements: StatementBudget, allowed: int
) -> None:
    with (
        pytest.raises(
            StatementBudgetExceeded, match=rf"2 statements were sent, {allowed} allowed"
        ) as e,
        statements(allowed),
    ):
        await send(empty_database_url, "SELECT 1", "SELECT 2")

    assert "1. SELECT 1" in str(e.value)
    assert "2. SELECT 2" in str(e.value)


async def test_at_most_lets_fewer_pass_and_more_fail(
    empty_database_url: str, statements: StatementBudget
) -> None:
    with statements(at_most=2):
        await send(empty_database_url, "SELECT 1")

    with pytest.raises(StatementBudgetExceeded, match="at most 0"), statements(at_most=0):
        await send(empty_database_url, "SELECT 1")


async def test_statements_of_other_tasks_count_too(
    empty_database_url: str, statements: StatementBudget
) -> None:
    with statements(2):
        await asyncio.gather(*(send(empty_database_url, "SELECT 1") for _ in range(2)))


async def test_statements_outside_the_block_do_not_count(
    empty_database_url: str, statements: StatementBudget
) -> None:
    await send(empty_database_url, "SELECT 1")
    with statements(0):
        pass
    await send(empty_database_url, "SELECT 1")


def test_the_failure_of_the_block_is_not_hidden(statements: StatementBudget) -> None:
    with pytest.raises(LookupError), statements(1):
        raise LookupError


@pytest.mark.parametrize("budget", [{}, {"exactly": 1, "at_most": 1}])
def test_a_budget_is_one_number(statements: StatementBudget, budget: dict[str, int]) -> None:
    with pytest.raises(TypeError, match="either"), statements(**budget):
        pass
