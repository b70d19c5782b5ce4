"""Which members a document has, and how they are called."""

import json
from typing import Any

import pytest
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, create_model
from pydantic.alias_generators import to_camel
from sqlalchemy import Text, bindparam, literal_column, select
from tests.kingpost.library import Author
from tests.kingpost.support import Open

from kingpost.database import Query
from kingpost.projection import Projection

ODD = ["a b", "it's", 'a"b', "back\\slash", "100%", "%s %(x)s", ":x", "$1", "é😀\u2028", "\n", "{}"]


async def shown(open_library: Open, url: str, projection: Projection[Any]) -> Any:
    """The document of one made-up author, through the driver's own connection."""
    values = select(
        literal_column("'ann@example.org'", Text).label("email"),
        literal_column("NULL", Text).label("name"),
    ).subquery()
    statement = select(projection.of(values)).select_from(values)
    database = open_library(url)
    [[document]] = await database.reads.fetch(Query(statement))
    return json.loads(document)


@pytest.mark.parametrize("alias", ODD)
async def test_a_member_may_have_any_name(open_library: Open, library_url: str, alias: str) -> None:
    schema = create_model("Read", email=(str, Field(serialization_alias=alias)))

    found = await shown(open_library, library_url, Projection(schema, Author))

    assert found == {alias: "ann@example.org"}


async def test_a_document_may_have_hundreds_of_members(
    open_library: Open, library_url: str
) -> None:
    fields: Any = {
        f"field{n}": (str, Field(validation_alias="email", serialization_alias=f"f{n}"))
        for n in range(300)
    }
    schema = create_model("Read", **fields)

    found = await shown(open_library, library_url, Projection(schema, Author))

    assert found == {f"f{n}": "ann@example.org" for n in range(300)}


async def test_aliases_are_used_as_fastapi_does_and_what_is_excluded_is_not_there(
    open_library: Open, library_url: str
) -> None:
    class Read(BaseModel):
        model_config = ConfigDict(alias_generator=to_camel)

        name: str | None = Field(serialization_alias="fullName")
        mail_address: str = Field(validation_alias=AliasChoices("address", "email"))
        secret: str = Field("", exclude=True)

    found = await shown(open_library, library_url, Projection(Read, Author))

    assert found == {"fullName": None, "mailAddress": "ann@example.org"}


async def test_a_schema_without_members_is_an_empty_object(
    open_library: Open, library_url: str
) -> None:
    assert await shown(open_library, library_url, Projection(create_model("Read"), Author)) == {}


async def test_fields_may_be_called_like_the_parameters_of_a_projection(
    open_library: Open, library_url: str
) -> None:
    names = ("schema", "model", "self")
    fields: Any = {f"{name}_": (str, Field(serialization_alias=name)) for name in names[:1]}
    fields |= dict.fromkeys(names[1:], (str, ...))
    given = dict.fromkeys(fields, Author.email)

    projection = Projection(create_model("Read", **fields), Author, **given)

    assert set(await shown(open_library, library_url, projection)) == set(names)


async def test_values_of_a_request_may_be_bound_in_an_expression(
    open_library: Open, library_url: str
) -> None:
    schema = create_model("Read", email=(str, ...))
    projection = Projection(schema, Author, email=Author.email + bindparam("end", type_=Text))
    values = select(literal_column("'a'", Text).label("email")).subquery()
    query = Query(select(projection.of(values)).select_from(values))

    [[document]] = await open_library(library_url).reads.fetch(query, {"end": "'%s"})

    assert json.loads(document) == {"email": "a'%s"}
