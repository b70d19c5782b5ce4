"""The API reference at /docs, from files of this installation: it works without internet."""

from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles

from kingpost.http.template import note_template

_ASSETS = "/docs/assets"
_DOCUMENT = "/openapi.json"


def install_docs(app: FastAPI) -> None:
    """Serves Swagger UI at /docs and the OpenAPI document at /openapi.json.

    The button Authorize takes an API key and keeps it over a reload of the page.
    """
    app.mount(_ASSETS, StaticFiles(directory=_assets()), name="docs-assets")

    async def document(request: Request) -> Response:
        note_template(request.scope, _DOCUMENT)
        return JSONResponse(request.app.openapi())

    async def page(request: Request) -> HTMLResponse:
        note_template(request.scope, "/docs")
        return get_swagger_ui_html(
            openapi_url=_DOCUMENT,
            title=request.app.title,
            swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{_ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{_ASSETS}/favicon.png",
            swagger_ui_parameters={"persistAuthorization": True, "tryItOutEnabled": True},
        )

    app.add_route(_DOCUMENT, document, include_in_schema=False)
    app.add_route("/docs", page, include_in_schema=False)


def _assets() -> Path:
    return Path(str(files("fastapi_offline"))) / "static"
