# ruff: noqa: ARG001 - ASGI applications have three arguments, needed or not
import json

import pytest

from kingpost.middleware import Methods


async def show(scope, receive, send):
    body = json.dumps([scope["method"], scope["path"]]).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body[:3], "more_body": True})
    await send({"type": "http.response.body", "body": body[3:]})


def path(raw: bytes) -> dict[str, object]:
    from urllib.parse import unquote_to_bytes

    return {"raw_path": raw, "path": unquote_to_bytes(raw).decode("utf-8", "replace")}


async def test_head_is_get_without_content_and_with_its_length(call):
    get = await call(Methods(show), path="/x")
    head = await call(Methods(show), method="HEAD", path="/x")

    assert json.loads(get.body) == ["GET", "/x"]
    assert head.headers == get.headers
    assert head.body == b""
    assert len(head.sent) == 3


@pytest.mark.parametrize(
    ("raw", "served"),
    [
        (b"/users", "/users"),
        (b"/users/", "/users"),
        (b"/users//", "/users/"),
        (b"//users", "//users"),
        (b"/", "/"),
        (b"/users%2F", "/users/"),
        (b"/caf%C3%A9/", "/café"),
    ],
)
async def test_one_trailing_slash_makes_no_difference(call, raw, served):
    assert json.loads((await call(Methods(show), **path(raw))).body) == ["GET", served]


@pytest.mark.parametrize("raw", [b"/%ff", b"/a%C3", b"/%00", b"/%ED%A0%80", b"/a/%c0%ae/b"])
async def test_a_path_that_is_not_text_is_404(call, raw):
    answer = await call(Methods(show), **path(raw))

    assert answer.status == 404
    assert json.loads(answer.body)["type"] == "/problems/not-found"


async def test_a_scope_without_raw_path_is_served(call):
    assert json.loads((await call(Methods(show), path="/é/", raw_path=None)).body)[1] == "/é"


async def test_what_is_not_http_passes(pending):
    seen = []

    async def app(scope, receive, send):
        seen.append(scope)

    await Methods(app)({"type": "lifespan"}, pending.receive, pending.send)

    assert seen == [{"type": "lifespan"}]
