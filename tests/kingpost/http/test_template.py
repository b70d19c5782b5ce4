import httpx
import pytest


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/v1/books", "/v1/books"),
        ("/v1/books/0199f3f0-7b1c-7000-8000-000000000001", "/v1/books/{book_id}"),
        ("/v1/books/1", "/v1/books/{book_id}"),
        ("/docs", "/docs"),
        ("/openapi.json", "/openapi.json"),
        ("/problems/conflict", "/problems/{slug}"),
        ("/nothing", "unmatched"),
    ],
)
async def test_metrics_know_a_request_by_the_template_of_its_route(
    books: httpx.AsyncClient, path: str, template: str
) -> None:
    await books.get(path)

    [line] = [
        line
        for line in (await books.get("/metrics")).text.splitlines()
        if line.startswith("http_server_requests_total{")
    ]
    assert f'route="{template}"' in line
