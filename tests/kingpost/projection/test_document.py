from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel, Field, TypeAdapter, ValidationError, computed_field

from kingpost.projection import Document


class Item(BaseModel):
    id: UUID
    number: int | None = 3
    shown_at: str = Field("", alias="shownAt")


class Basket(Item):
    items: list[Item]

    @computed_field
    def size(self) -> int:
        return len(self.items)


ITEM = b'{"id":"00000000-0000-0000-0000-000000000001","number":1,"shownAt":"now"}'
ANNOTATIONS: list[tuple[Any, Any]] = [
    (Document[Item], Item),
    (Document[Basket], Basket),
    (Document[Item | Basket], Item | Basket),
    (Document[Item] | Document[Basket], Item | Basket),
    (Document[Item] | None, Item | None),
    (Document[list[Item]], list[Item]),
    (list[Document[Item]], list[Item]),
]


def service(annotation: Any, answer: Any) -> FastAPI:
    app = FastAPI()

    @app.get("/")
    async def show() -> annotation:
        return answer

    return app


@pytest.mark.parametrize(("shown", "schema"), ANNOTATIONS)
def test_openapi_shows_a_document_as_its_schema(shown: Any, schema: Any) -> None:
    assert service(shown, None).openapi() == service(schema, None).openapi()


@pytest.mark.parametrize(
    ("annotation", "answer", "text"),
    [
        (Document[Item], Document(ITEM), ITEM),
        (Document[Item] | Document[Basket], Document(ITEM), ITEM),
        (Document[list[Item]], Document(b"[" + ITEM + b"]"), b"[" + ITEM + b"]"),
        (list[Document[Item]], [Document(ITEM)], b"[" + ITEM + b"]"),
        (Document[Item] | None, None, b"null"),
    ],
)
async def test_a_plain_route_answers_with_the_document(
    annotation: Any, answer: Any, text: bytes
) -> None:
    transport = httpx.ASGITransport(service(annotation, answer))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        found = await client.get("/")

    assert found.content == text
    assert found.headers["content-type"] == "application/json"


async def test_a_plain_route_refuses_what_is_no_document() -> None:
    transport = httpx.ASGITransport(service(Document[Item], {"id": 1}), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/")).status_code == 500


def test_a_document_is_read_into_its_schema() -> None:
    found = Document[Item](ITEM).read(Item)

    assert (found.id, found.shown_at) == (UUID(int=1), "now")
    assert Document[list[Item]](b"[" + ITEM + b"]").read(list[Item]) == [found]


def test_a_document_gives_one_member_without_its_schema() -> None:
    assert Document[Item](ITEM)["id"] == "00000000-0000-0000-0000-000000000001"
    with pytest.raises(KeyError):
        Document[Item](ITEM)["name"]


def test_a_document_of_another_schema_is_not_read() -> None:
    with pytest.raises(ValidationError, match="items"):
        Document[Basket](ITEM).read(Basket)


def test_json_becomes_a_document_when_its_schema_accepts_it() -> None:
    adapter = TypeAdapter(Document[Item])

    assert adapter.validate_json(ITEM) == Document(ITEM)
    assert adapter.dump_json(Document(ITEM)) == ITEM
    with pytest.raises(ValidationError, match="id"):
        adapter.validate_json(b'{"id":1}')


def test_documents_are_equal_when_their_bytes_are() -> None:
    assert Document(ITEM) == Document(ITEM)
    assert len({Document(ITEM), Document(ITEM), Document(b"{}")}) == 2
    assert Document(b"{}") != b"{}"
    assert repr(Document(b"{}")) == "Document(b'{}')"
