"""Makes the `type` of a problem lead to its explanation (RFC 9457 section 3.1.1)."""

import inspect
from collections.abc import Iterator

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kingpost.http.template import note_template
from kingpost.problems import NotFound, Problem


def install_problem_pages(app: FastAPI) -> None:
    """Serves /problems, the list of all types, and /problems/{slug}, one of them."""

    async def index(request: Request) -> Response:
        note_template(request.scope, "/problems")
        return JSONResponse({"items": [_describe(kind) for kind in _kinds().values()]})

    async def one(request: Request) -> Response:
        note_template(request.scope, "/problems/{slug}")
        kind = _kinds().get(request.path_params["slug"])
        if kind is None:
            raise NotFound
        return JSONResponse(_describe(kind))

    app.add_route("/problems", index, include_in_schema=False)
    app.add_route("/problems/{slug}", one, include_in_schema=False)


def _kinds() -> dict[str, type[Problem]]:
    """The general problems by slug; a domain error shares the page of the problem it is."""
    found: dict[str, type[Problem]] = {}
    for kind in _tree(Problem):
        found.setdefault(kind.slug, kind)
    return found


def _tree(kind: type[Problem]) -> Iterator[type[Problem]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _tree(child)


def _describe(kind: type[Problem]) -> dict[str, str | int]:
    explanation = inspect.getdoc(kind) or kind.title
    return {
        "type": f"/problems/{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "description": explanation.partition("\n")[0],
    }
