import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from pydantic import BaseModel, ConfigDict, computed_field
from sqlalchemy import Select, Text, func, insert, literal, select
from sqlalchemy.orm import aliased
from tests.kingpost.projection.relations import Folder, Label
from tests.kingpost.support import Sql

from kingpost.database import Database, Transaction, UnitOfWork
from kingpost.http.types import Instant
from kingpost.projection import Nested, Projection, ProjectionError

ROWS = (
    "TRUNCATE folders, labels, labelled, locks, shelves",
    "INSERT INTO folders VALUES (1, 'Top', NULL), (2, 'b', 1), (3, 'a', 1), (4, 'deep', 3)",
    "INSERT INTO labels VALUES (1, 'red'), (2, 'blue')",
    "INSERT INTO labelled VALUES (1, 1), (1, 2), (3, 1)",
    'INSERT INTO shelves ("row", "column", note) VALUES (1, 1, NULL), (1, 2, \'here\')',
    "INSERT INTO locks VALUES (1, 3, 1, 2)",
)


class Schema(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Name(Schema):
    name: str


class WithLabels(Name):
    labels: list[Name]


class WithChildren(Name):
    children: list[WithLabels]


class WithParent(Name):
    parent: WithChildren | None


class ShelfRead(Schema):
    note: str | None


class LockRead(Schema):
    folder: WithParent
    shelf: ShelfRead


class WithLock(Schema):
    lock: LockRead | None


@pytest_asyncio.fixture
async def folders(columns: Database, columns_sql: Sql) -> AsyncIterator[Database]:
    for statement in ROWS:
        await columns_sql(statement)
    yield columns


async def rows(database: Database, statement: Select[Any]) -> list[Any]:
    async def read(session: Any) -> list[Any]:
        return list((await session.execute(statement)).all())

    return await database.read(read)


async def documents(database: Database, statement: Select[Any]) -> list[Any]:
    return [json.loads(row[0]) for row in await rows(database, statement)]


async def test_a_row_that_belongs_to_none_has_null(folders: Database) -> None:
    found = Projection(WithParent, Folder).select().where(Folder.id == 1)

    assert await documents(folders, found) == [{"name": "Top", "parent": None}]


async def test_a_table_may_be_nested_in_itself_and_lists_in_lists(folders: Database) -> None:
    found = Projection(WithParent, Folder).select().where(Folder.id == 2)

    red, blue = {"name": "red"}, {"name": "blue"}
    children = [{"name": "a", "labels": [red]}, {"name": "b", "labels": []}]
    assert await documents(folders, found) == [
        {"name": "b", "parent": {"name": "Top", "children": children}}
    ]
    top = Projection(WithLabels, Folder).select().where(Folder.id == 1)
    assert await documents(folders, top) == [{"name": "Top", "labels": [blue, red]}]


async def test_one_to_one_and_keys_of_two_columns_are_followed(folders: Database) -> None:
    found = Projection(WithLock, Folder).select().order_by(Folder.id.desc()).limit(2)

    none, one = await documents(folders, found)

    assert none == {"lock": None}
    assert one["lock"]["shelf"] == {"note": "here"}
    assert one["lock"]["folder"]["parent"]["name"] == "Top"


async def test_nesting_changes_neither_the_number_nor_the_order_of_the_rows(
    folders: Database,
) -> None:
    found = Projection(WithParent, Folder).select().order_by(Folder.name.desc())

    names = [each["name"] for each in await documents(folders, found)]

    assert sorted(names) == ["Top", "a", "b", "deep"]
    assert names == [
        name for (name,) in await rows(folders, select(Folder.name).order_by(Folder.name.desc()))
    ]


async def test_a_condition_on_the_nested_table_does_not_disturb_the_nesting(
    folders: Database,
) -> None:
    parent = aliased(Folder)
    found = (
        Projection(WithParent, Folder)
        .select()
        .join(Folder.parent.of_type(parent))
        .where(parent.name == "Top", Folder.name == "a")
    )

    [only] = await documents(folders, found)

    assert only["parent"]["name"] == "Top"
    assert [child["name"] for child in only["parent"]["children"]] == ["a", "b"]


async def test_a_join_over_the_table_between_does_not_disturb_the_nesting(
    folders: Database,
) -> None:
    found = Projection(WithLabels, Folder).select().join(Folder.labels).where(Label.name == "red")

    [top, _] = await documents(folders, found.order_by(Folder.id))

    assert [label["name"] for label in top["labels"]] == ["blue", "red"]


async def test_a_nested_list_takes_its_order_limit_and_projection(folders: Database) -> None:
    class Shout(Schema):
        name: str

    class Top(Schema):
        folders: list[Shout]

    shown = Projection(Shout, Folder, name=func.upper(Folder.name, type_=Text))
    order = [func.length(Folder.name).desc(), Folder.id.desc()]
    nested = Nested(Folder.children, order=order, limit=1, projection=shown)

    found = Projection(Top, Folder, folders=nested).select().where(Folder.id == 1)

    assert await documents(folders, found) == [{"folders": [{"name": "A"}]}]


async def test_a_relationship_may_have_another_name(folders: Database) -> None:
    class Inside(Schema):
        within: Name | None

    found = Projection(Inside, Folder, within=Folder.parent).select().where(Folder.id == 4)

    assert await documents(folders, found) == [{"within": {"name": "a"}}]


async def test_columns_may_be_added_to_the_documents(folders: Database) -> None:
    found = Projection(Name, Folder).select().add_columns(Folder.id).where(Folder.id < 3)

    assert await rows(folders, found.order_by(Folder.id)) == [
        ('{"name":"Top"}', 1),
        ('{"name":"b"}', 2),
    ]


class Everything(WithParent):
    changed_at: Instant
    title: str
    parents: int
    shout: str | None
    whisper: str


EVERYTHING = Projection(
    Everything,
    Folder,
    title=literal("Folder ") + Folder.name,
    parents=select(func.count(Label.id)).where(Label.id <= Folder.id).scalar_subquery(),
    whisper=Folder.whisper,
)
EXPECTED = {
    "name": "b",
    "changed_at": "2026-11-22T04:15:00Z",
    "title": "Folder b",
    "parents": 2,
    "shout": "B",
    "whisper": "b",
}


async def test_expressions_hybrids_and_column_properties_are_shown(folders: Database) -> None:
    [found] = await documents(folders, EVERYTHING.select().where(Folder.id == 2))

    assert found.pop("parent")["name"] == "Top"
    assert found == EXPECTED


@pytest.mark.parametrize("source", ["alias", "subquery", "cte"])
async def test_a_document_of_another_source_is_the_same(folders: Database, source: str) -> None:
    statement = select(Folder.__table__).where(Folder.id == 2)
    sources = {
        "alias": aliased(Folder),
        "subquery": statement.subquery(),
        "cte": statement.cte("found"),
    }
    chosen: Any = sources[source]
    id_ = chosen.id if source == "alias" else chosen.c.id

    [found] = await documents(
        folders, select(EVERYTHING.of(chosen)).select_from(chosen).where(id_ == 2)
    )

    assert found.pop("parent")["name"] == "Top"
    assert found == EXPECTED


async def test_an_insert_gives_back_its_document_in_the_same_statement(folders: Database) -> None:
    row = insert(Folder).values(id=9, name="new", parent_id=1).returning(Folder.__table__)
    added = row.cte("added")
    statement = select(EVERYTHING.of(added)).select_from(added)

    async def use(tx: Transaction) -> str:
        return (await tx.session.execute(statement)).scalar_one()

    found = json.loads(await UnitOfWork(folders).run(use))

    assert (found["name"], found["shout"], found["parents"]) == ("new", "NEW", 2)
    assert found["parent"]["name"] == "Top"


def test_a_source_without_a_column_is_refused() -> None:
    source = select(Folder.id, Folder.name).subquery()

    with pytest.raises(
        ProjectionError, match="Everything: the source has no column changed_at, parent_id"
    ):
        EVERYTHING.of(source)


async def test_a_computed_field_may_be_given_as_an_expression(folders: Database) -> None:
    class Loud(Name):
        @computed_field
        def loud(self) -> str:
            return self.name.upper()

    found = (
        Projection(Loud, Folder, loud=func.upper(Folder.name, type_=Text))
        .select()
        .where(Folder.id == 2)
    )

    assert await documents(folders, found) == [{"name": "b", "loud": "B"}]
