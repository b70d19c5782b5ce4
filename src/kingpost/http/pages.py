"""How a page of a list looks on the wire: a document and a Link header (RFC 8288)."""

from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import parse_qsl, quote, urlencode

from fastapi import Query, Response
from pydantic import Field
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request

from kingpost.http.runtime import runtime_of
from kingpost.http.types import FromText, Schema
from kingpost.pagination import Key, Page, PageRequest, fetch_page

T = TypeVar("T")
S = TypeVar("S", bound=Schema)

Limit = Annotated[
    int, Field(ge=1, le=100), FromText, Query(description="How many items to return.")
]
Cursor = Annotated[
    str | None,
    Query(
        description="`next` or `previous` of another answer to the same query.",
        # Not checked here: whatever is not one of our cursors is the same InvalidCursor.
        json_schema_extra={"minLength": 1, "maxLength": 2000, "pattern": "^[A-Za-z0-9_-]*$"},
    ),
]


class PageRead(Schema, Generic[T]):
    """One page of a list."""

    items: list[T]
    next: str | None = Field(description="Cursor of the page after this one, if there is one.")
    previous: str | None = Field(description="Cursor of the page before this one, if any.")

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """The title in the OpenAPI document, from which generated clients name the class."""
        return f"PageOf{params[0].__name__}"


class Paging:
    """The page that a request asks for: a dependency of every list route.

    Args:
        request: for the filters that a cursor is tied to, and for the links.
        response: gets the Link header.
        limit: how many items.
        cursor: where to go on.
    """

    def __init__(
        self, request: Request, response: Response, limit: Limit = 20, cursor: Cursor = None
    ) -> None:
        self._request = request
        self._response = response
        self._page = PageRequest(limit, cursor)

    async def fetch(
        self,
        session: AsyncSession,
        statement: Select[Any],
        order: Sequence[Key],
        schema: type[S],
    ) -> PageRead[S]:
        """Runs the query for this page and shapes the answer.

        Args:
            session: a session to read with.
            statement: selects the entities, filtered, without order and limit.
            order: the sort keys, unique together.
            schema: what each entity is shown as.

        Returns:
            The page; the Link header of the response is set.

        Raises:
            InvalidCursor: the cursor was changed or belongs to another query.
        """
        page = await fetch_page(
            session,
            statement,
            order,
            self._page,
            runtime_of(self._request).cursors,
            query=self._query(),
        )
        self._add_links(page)
        return PageRead[schema](  # type: ignore[valid-type] # the class is a value here
            items=[schema.model_validate(item) for item in page.items],
            next=page.next,
            previous=page.previous,
        )

    def _query(self) -> str:
        """What a cursor is tied to: the path and the filters, in one spelling."""
        return f"{self._request.scope['path']}?{urlencode(sorted(self._filters))}"

    @cached_property
    def _filters(self) -> list[tuple[str, str]]:
        query = self._request.scope["query_string"].decode("ascii")
        pairs = parse_qsl(query, keep_blank_values=True)
        return [(name, value) for name, value in pairs if name not in {"cursor", "limit"}]

    def _add_links(self, page: Page[Any]) -> None:
        """Links are paths, so that no Host header of a client ends up in an answer."""
        links = [
            f'<{self._path(cursor)}>; rel="{relation}"'
            for relation, cursor in (("next", page.next), ("prev", page.previous))
            if cursor is not None
        ]
        if links:
            self._response.headers["Link"] = ", ".join(links)

    def _path(self, cursor: str) -> str:
        parts = [*self._filters, ("limit", str(self._page.limit)), ("cursor", cursor)]
        return f"{quote(self._request.scope['path'])}?{urlencode(parts)}"
