"""How a page of a list looks on the wire: a document and a Link header (RFC 8288)."""

from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import parse_qsl, quote, urlencode

from fastapi import Query, Response
from pydantic import BaseModel, Field
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request

from kingpost.database import Reads
from kingpost.http.runtime import runtime_of
from kingpost.http.types import FromText, Schema
from kingpost.pagination import Key, Page, PageRequest, fetch_page
from kingpost.projection import Document, Listing

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


async def paging(
    request: Request, response: Response, limit: Limit = 20, cursor: Cursor = None
) -> "Paging":
    """The dependency of every list route; a class as such would be called in a thread.

    Args:
        request: for the filters that a cursor is tied to, and for the links.
        response: gets the Link header.
        limit: how many items.
        cursor: where to go on.

    Returns:
        The page that the request asks for.
    """
    return Paging(request, response, PageRequest(limit, cursor))


class Paging:
    """The page that a request asks for.

    Args:
        request: for the filters that a cursor is tied to, and for the links.
        response: gets the Link header.
        page: how many items, and where to go on.
    """

    def __init__(self, request: Request, response: Response, page: PageRequest) -> None:
        self._request = request
        self._response = response
        self._page = page

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

    async def documents(
        self,
        reads: Reads,
        listing: Listing[S],
        filters: BaseModel | None = None,
        *,
        if_empty: Callable[[], Awaitable[object]] | None = None,
    ) -> Document[PageRead[S]]:
        """Runs a prepared list for this page: one round trip, no objects.

        Args:
            reads: of the database.
            listing: what is listed.
            filters: the filters of the request.
            if_empty: awaited if there is nothing to show; may raise that what the list belongs
                to is not there.

        Returns:
            The page as JSON; the Link header of the response is set.

        Raises:
            InvalidCursor: the cursor was changed or belongs to another query.
        """
        cursors = runtime_of(self._request).cursors
        page = await listing.page(reads, self._page, cursors, query=self._query(), filters=filters)
        if not page.items and if_empty is not None:
            await if_empty()
        self._add_links(page)
        return Document(_as_json(page))

    def _query(self) -> str:
        """What a cursor is tied to: the path and the filters, in one spelling."""
        filters = urlencode(sorted(self._filters)) if self._filters else ""
        return f"{self._request.scope['path']}?{filters}"

    @cached_property
    def _filters(self) -> list[tuple[str, str]]:
        parts = self._request.scope["query_string"].decode("ascii").split("&")
        others = "&".join(part for part in parts if not part.startswith(("limit=", "cursor=")))
        pairs = parse_qsl(others, keep_blank_values=True) if others else []
        return [(name, value) for name, value in pairs if name not in {"cursor", "limit"}]

    def _add_links(self, page: Page[Any]) -> None:
        """Links are paths, so that no Host header of a client ends up in an answer."""
        cursors = (("next", page.next), ("prev", page.previous))
        here = self._path()
        # a cursor has no character that a URL would need to escape
        links = [f'<{here}&cursor={cursor}>; rel="{name}"' for name, cursor in cursors if cursor]
        if links:
            self._response.headers["Link"] = ", ".join(links)

    def _path(self) -> str:
        filters = f"{urlencode(self._filters)}&" if self._filters else ""
        return f"{quote(self._request.scope['path'])}?{filters}limit={self._page.limit}"


def _as_json(page: Page[str]) -> bytes:
    """A `PageRead` of items that are JSON already; a cursor needs no escapes."""
    following, preceding = (
        "null" if cursor is None else f'"{cursor}"' for cursor in (page.next, page.previous)
    )
    items = ",".join(page.items)
    return f'{{"items":[{items}],"next":{following},"previous":{preceding}}}'.encode()
