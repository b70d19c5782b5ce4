"""What a request brings along while its plan is carried out."""

from collections.abc import Mapping
from typing import Any

from fastapi._compat import Undefined
from starlette.requests import Request
from starlette.responses import Response

Errors = list[dict[str, Any]]


class Given:
    """A request, and what has been found out about it so far.

    Args:
        request: as the route got it.
        body: the parsed body, its bytes, or `Undefined`.
        query: the parameters of the query, if no name is repeated; None reads them when needed.

    Attributes:
        errors: what is wrong with the parameters that are being read.
        response: carries the status and headers that endpoint and dependencies set; or None.
    """

    __slots__ = ("body", "errors", "request", "response", "unique_query")

    def __init__(
        self, request: Request, body: Any = Undefined, query: dict[str, str] | None = None
    ) -> None:
        self.request = request
        self.body = body
        self.errors: Errors = []
        self.response: Response | None = None
        if query is None and not request.scope["query_string"]:
            query = {}
        self.unique_query = query

    @property
    def query(self) -> Mapping[str, str]:
        """The parameters of the query by name; the last one of those that share a name."""
        return self.request.query_params if self.unique_query is None else self.unique_query


def new_response() -> Response:
    """A response for endpoint and dependencies to set headers, cookies and a status on.

    FastAPI makes the same one in twice the time: without a status, and without headers.
    """
    response = Response.__new__(Response)
    response.status_code = None  # type: ignore[assignment] # nobody has set one; FastAPI's way
    response.background = None
    response.body = b""
    response.raw_headers = []
    return response
