"""The OpenAPI document is one, and says what the service does."""

from typing import Any

import httpx
import pytest
import pytest_asyncio
from openapi_spec_validator import OpenAPIV31SpecValidator

from kingpost.testing.service import settings_for

METHODS = {"get", "post", "put", "patch", "delete"}
NAMED = {"200", "201", "204", "429"}


@pytest_asyncio.fixture
async def document(anonymous: httpx.AsyncClient) -> dict[str, Any]:
    return dict((await anonymous.get("/openapi.json")).raise_for_status().json())


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [item[method] for item in document["paths"].values() for method in METHODS & set(item)]


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_every_operation_names_its_problems(document: dict[str, Any]) -> None:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operation in operations(document):
        failures = {s: a for s, a in operation["responses"].items() if s[0] not in "23"}

        assert {"400", "401", "403", "422", "429", "503", "default"} <= set(failures), operation
        assert all(answer["content"] == problem for answer in failures.values()), operation
        assert all("X-Request-Id" in answer["headers"] for answer in failures.values()), operation
        assert "Retry-After" in failures["503"]["headers"]
        assert "Retry-After" in failures["429"]["headers"]


def test_where_things_are_made_and_listed_the_headers_are_named(document: dict[str, Any]) -> None:
    paths = document["paths"]

    for path in (
        "/api/v1/users",
        "/api/v1/posts",
        "/api/v1/audit",
        "/api/v1/users/{user_id}/posts",
    ):
        assert "Link" in paths[path]["get"]["responses"]["200"]["headers"], path
    for path in ("/api/v1/users", "/api/v1/posts", "/api/v1/keys"):
        assert "Location" in paths[path]["post"]["responses"]["201"]["headers"], path


def test_what_has_an_etag_may_be_answered_without_it_being_sent(document: dict[str, Any]) -> None:
    paths = document["paths"]

    for path in (
        "/api/v1/users/{user_id}",
        "/api/v1/users/by-email/{email}",
        "/api/v1/posts/{post_id}",
    ):
        get = paths[path]["get"]
        assert {"If-None-Match"} <= {each["name"] for each in get["parameters"]}, path
        assert set(get["responses"]["200"]["headers"]) == {"ETag"}, path
        assert "content" not in get["responses"]["304"], path
    assert "304" not in paths["/api/v1/users"]["get"]["responses"]
    assert "304" not in paths["/api/v1/users"]["post"]["responses"]


@pytest.mark.parametrize("limit", ["", "100"])
async def test_the_headers_of_a_rate_limit_are_named_where_there_is_one(
    project: Any, service_environ: dict[str, str], database_url: str, limit: str
) -> None:
    environ = {**service_environ, "APP_RATE_LIMIT": limit}
    app = project.create_app(settings_for(project, environ, database_url))
    document = app.openapi()

    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    for operation in operations(document):
        for status, answer in operation["responses"].items():
            is_named = {"RateLimit", "RateLimit-Policy"} <= set(answer.get("headers", ()))
            assert is_named == (bool(limit) and status in NAMED), (status, answer)


@pytest.mark.parametrize("required", ["false", "true"])
async def test_an_idempotency_key_is_shown_as_required_where_the_service_wants_one(
    project: Any, service_environ: dict[str, str], database_url: str, required: str
) -> None:
    environ = {**service_environ, "APP_IDEMPOTENCY_REQUIRED": required}
    document = project.create_app(settings_for(project, environ, database_url)).openapi()
    shown = [
        parameter["required"]
        for operation in operations(document)
        for parameter in operation.get("parameters", ())
        if parameter["name"] == "Idempotency-Key"
    ]

    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    assert set(shown) == {required == "true"}


def test_operations_are_named_after_their_endpoints(document: dict[str, Any]) -> None:
    names = {operation["operationId"] for operation in operations(document)}

    assert {"create_user", "list_users", "get_user_by_email", "create_posts", "rotate_key"} <= names
    assert all(name.isidentifier() and "api_v1" not in name for name in names)


def test_parameters_of_a_query_are_never_null_and_state_their_bounds(
    document: dict[str, Any],
) -> None:
    parameters = {
        parameter["name"]: parameter["schema"]
        for operation in operations(document)
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "query"
    }

    assert "null" not in str(parameters)
    assert (parameters["limit"]["minimum"], parameters["limit"]["maximum"]) == (1, 100)
    assert parameters["is_active"]["type"] == "boolean"
