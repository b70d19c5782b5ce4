"""Hostile request lines, headers and frames."""

import json
from collections.abc import Iterator
from typing import Any

from tests.app.hostile.case import (
    JSON,
    KEY,
    KEYS,
    POSTS,
    USER,
    USERS,
    Case,
    get,
    send,
)
from tests.app.hostile.wire import request


def addresses() -> Iterator[Case]:
    for spelling in (
        "3000000000", "9223372036854775808", "%201", "%D9%A1", "1_0", "1" * 5000, "not-an-id",
        "0199f3f07b1c70008000000000000000", "%7B<user>%7D", "%20<user>", "urn:uuid:<user>",
        "%00", "%ff", "<user>%00", "..%2f", "<missing>",
    ):  # fmt: skip
        row = "16" if spelling.isdigit() and len(spelling) < 20 else "17"
        for collection in (USERS, POSTS, KEYS):
            yield get(
                f"{row} {collection}/{spelling[:40]}", f"{collection}/{spelling}", 404, "not-found"
            )
    for value in (
        "-1",
        "0",
        "1" + "0" * 19,
        "1000000000",
        "101",
        "1.0",
        "%201",
        "1_0",
        "",
        "%D9%A1",
    ):
        row = "19" if value == "1000000000" else "18"
        yield get(
            f"{row} limit={value}", f"{USERS}?limit={value}", 422, "validation-error",
            pointer="/query/limit",
        )  # fmt: skip
    cursors = {
        "a tampered cursor": f"{USERS}?cursor=<tampered>",
        "a cursor of another filter": f"{USERS}?cursor=<cursor>&is_active=true",
        "a cursor of another list": f"{POSTS}?cursor=<cursor>",
        "a cursor of another order": f"{POSTS}?q=engines&cursor=<cursor>",
        "no cursor at all": f"{USERS}?cursor=x",
        "an empty cursor": f"{USERS}?cursor=",
        "a cursor with NUL": f"{USERS}?cursor=%00",
        "a cursor of 7 KB": f"{USERS}?cursor={'A' * 7000}",
        "a cursor of a padded spelling": f"{USERS}?cursor=<cursor>=",
        "a cursor in Arabic": f"{USERS}?cursor=%D9%A1",
    }
    for name, target in cursors.items():
        yield get(f"20 {name}", target, 400, "invalid-cursor")
    yield get("21 limt=1", f"{USERS}?limt=1", 422, "unknown-parameter", pointer="/query/limt")
    yield get("21 a parameter where there are none", f"{POSTS}/<post>?x", 422, "unknown-parameter")
    repeated = f"{USERS}?limit=1&limit=2"
    yield get("22 limit twice", repeated, 422, "validation-error", pointer="/query/limit")
    for name, value in (
        ("NUL", "%00"),
        ("no UTF-8", "%ff"),
        ("blanks", "%20%09"),
        ("7 KB", "x" * 7000),
    ):
        yield get(
            f"23 q is {name}", f"{POSTS}?q={value}", 422, "validation-error", pointer="/query/q"
        )
    yield get("23 q of 10 KB", f"{POSTS}?q={'x' * 10_000}", 414, "uri-too-long", closes=True)
    for path in (
        "/nothing", "//api/v1/users", "/api/v1//users", "/api/v1/users//", "/API/v1/users",
        "/api/v1/users/..%2f", "/api/v1/users/../users", "/api/v2/users", "/problems/none",
    ):  # fmt: skip
        yield get(f"34 {path}", path, 404, "not-found")
    yield get("34 a trailing slash", f"{USERS}/", 200, None)
    for place in ("%25", "_", "%5C", "%25%25", "wildcard%25", "%27", "%3A*", "%26%7C!"):
        yield get(f"24 q={place} matches nothing", f"{POSTS}?q={place}", 200, None)
    for place in ("%25", "_", "%25@example.com", "%5C"):
        yield get(f"24 no email is {place}", f"{USERS}/by-email/{place}", 404, "not-found")


def methods() -> Iterator[Case]:
    full = {
        USERS: "GET, HEAD, OPTIONS, POST",
        f"{USERS}/<user>": "DELETE, GET, HEAD, OPTIONS, PATCH",
        f"{USERS}/by-email/<email>": "GET, HEAD, OPTIONS",
        f"{USERS}/<user>/posts": "GET, HEAD, OPTIONS",
        POSTS: "GET, HEAD, OPTIONS, POST",
        f"{POSTS}:batch": "OPTIONS, POST",
        f"{POSTS}/<post>": "DELETE, GET, HEAD, OPTIONS, PATCH",
        "/api/v1/audit": "GET, HEAD, OPTIONS",
        KEYS: "GET, HEAD, OPTIONS, POST",
        f"{KEYS}/<readers-id>/rotation": "OPTIONS, POST",
    }
    for target, allow in full.items():
        names = [("allow", allow)]
        more: dict[str, Any] = {"headers": names, "method": "PUT"}
        yield get(f"31 PUT {target}", target, 405, "method-not-allowed", **more)
        yield get(f"32 OPTIONS {target}", target, 204, None, headers=names, method="OPTIONS")
        yield get(
            f"33 TRACE {target}", target, 405, "method-not-allowed", headers=names, method="TRACE"
        )
    yield get("32 HEAD of nobody", f"{USERS}/<missing>", 404, "not-found", method="HEAD")
    yield get("32 HEAD without a GET", f"{POSTS}:batch", 405, "method-not-allowed", method="HEAD")
    for method in ("FOO", "get", "CONNECT"):
        yield get(
            f"33 {method}", USERS if method != "CONNECT" else "localhost:80", 501,
            "method-not-implemented", method=method, closes=True,
        )  # fmt: skip


def credentials() -> Iterator[Case]:
    invalid = [("www-authenticate", 'Bearer error="invalid_token"')]
    wrong = {
        "Basic": "Basic YTpi", "no token": "Bearer", "a short token": "Bearer x",
        "two tokens": "Bearer <key> <key>", "another scheme": "Token <key>", "only a key": "<key>",
        "a typing error": "Bearer <key>x", "an unknown key": "Bearer kp_test_" + "0" * 70,
        "revoked": "Bearer <revoked>", "expired": "Bearer <expired>", "not ASCII": "Bearer \xe9",
        "100 tokens": "Bearer " + "x" * 10_000, "a list": "Bearer <key>, Bearer <key>",
    }  # fmt: skip
    for name, value in wrong.items():
        data = request("GET", USERS, [("Authorization", value)])
        yield Case(f"35 {name}", data, 401, "unauthenticated", headers=invalid)
    twice = request("GET", USERS, [KEY, KEY])
    yield Case("35 two headers", twice, 401, "unauthenticated", headers=invalid)
    none = request("POST", USERS, [JSON], b"{")
    bare = [("www-authenticate", "Bearer")]
    yield Case("35 none, and a bad body", none, 401, "unauthenticated", headers=bare)
    reader = ("Authorization", "Bearer <reader>")
    scope = [("www-authenticate", 'Bearer error="insufficient_scope", scope="posts:write"')]
    write = request("POST", POSTS, [reader, JSON], b"{")
    yield Case("36 a reader writes, and badly", write, 403, "forbidden", headers=scope)
    for whose in ("<readers-id>", "<missing>", "no-id"):  # no way to find out which there are
        data = request("GET", f"{KEYS}/{whose}", [reader])
        yield Case(f"47 what is not for a reader: {whose}", data, 403, "forbidden")


def framing() -> Iterator[Case]:
    def bad(name: str, data: bytes, **more: Any) -> Case:
        return Case(name, data, 400, "bad-request", closes=True, **more)

    body = json.dumps(USER).encode()
    length = ("Content-Length", str(len(body)))
    chunked = ("Transfer-Encoding", "chunked")
    target = "http://evil.example/api/v1/users"
    yield bad("49 no Host", request("GET", USERS, [KEY], host=None))
    yield bad("49 two Hosts", request("GET", USERS, [KEY, ("Host", "localhost")]))
    yield bad("49 two different Hosts", request("GET", USERS, [KEY, ("Host", "evil.example")]))
    yield bad("49 an empty Host", request("GET", USERS, [KEY], host=""))
    yield bad("49 a Host with a path", request("GET", USERS, [KEY], host="localhost/evil"))
    yield bad("49 a target of another host", request("GET", target, [KEY]))
    yield bad("49 a foreign Host", request("GET", USERS, [KEY], host="evil.example"), guarded=True)
    yield bad("49 a foreign target", request("GET", target, host="evil.example"), guarded=True)
    yield bad(
        "49 a longer Host", request("GET", USERS, host="api.example.evil.example"), guarded=True
    )
    yield bad("50 CL and TE", request("POST", USERS, [KEY, JSON, length, chunked], body))
    yield bad("50 two CL", request("POST", USERS, [KEY, JSON, length], body + b" "))
    yield bad("50 a CL list", request("GET", USERS, [KEY, ("Content-Length", "5, 5")]))
    yield bad("50 a negative CL", request("GET", USERS, [KEY, ("Content-Length", "-1")]))
    yield bad("50 a CL with a plus", request("GET", USERS, [KEY, ("Content-Length", "+1")]))
    yield bad("50 a CL of 30 digits", request("GET", USERS, [KEY, ("Content-Length", "9" * 30)]))
    yield bad(
        "50 TE twice chunked",
        request("POST", USERS, [KEY, ("Transfer-Encoding", "chunked, chunked")]),
    )
    yield bad("50 TE xchunked", request("POST", USERS, [KEY, ("Transfer-Encoding", "xchunked")]))
    yield bad("50 bare LF", request("GET", USERS, [KEY]).replace(b"\r\n", b"\n"))
    yield bad("50 bare CR", request("GET", USERS, [KEY, ("X-A", "b\rX-C: d")]))
    yield bad("50 NUL in a header", request("GET", USERS, [KEY, ("X-A", "b\0c")]))
    yield bad("50 a blank in a name", request("GET", USERS, [KEY, ("X A", "b")]))
    yield bad("50 a folded line", request("GET", USERS, [KEY, ("X-A", "b\r\n c")]))
    yield bad("50 HTTP/9.9", b"GET /api/v1/users HTTP/9.9\r\nHost: localhost\r\n\r\n")
    yield bad("50 HTTP/0.9", b"GET /api/v1/users\r\n\r\n")
    yield bad(
        "50 a bad chunk", request("POST", USERS, [KEY, JSON, chunked], b"zz\r\n{}\r\n0\r\n\r\n")
    )
    yield bad(
        "50 TLS to the wrong port", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 80
    )
    yield bad("50 a raw UTF-8 path", b"GET /\xc3\xa9 HTTP/1.1\r\nHost: localhost\r\n\r\n")


def sizes() -> Iterator[Case]:
    """Limits that have a default: one byte more is too much, and much more is as well."""

    def head(name: str, data: bytes, status: int, slug: str | None) -> Case:
        return Case(name, data, status, slug, closes=slug is not None)

    def with_bytes(size: int) -> bytes:
        filler = size - sum(len(n) + len(v) + 4 for n, v in (("Host", "localhost"), ("X-A", "")))
        return request("GET", "/problems", [("X-A", "x" * filler)])

    def with_target(size: int) -> bytes:
        return request("GET", "/problems?".ljust(size, "x"))

    def with_lines(count: int) -> bytes:
        return request("GET", "/problems", [(f"X-{n}", "x") for n in range(count - 1)])

    large = "header-too-large"
    yield head("51 32 KB of headers", with_bytes(32_768), 200, None)
    yield head("51 32 KB of headers and a byte", with_bytes(32_769), 431, large)
    yield head("51 100 KB of headers", with_bytes(100_000), 431, large)
    yield head("51 100 headers", with_lines(100), 200, None)
    yield head("51 101 headers", with_lines(101), 431, large)
    yield head("51 2 000 headers", with_lines(2_000), 431, large)
    yield head("51 a target of 8 KB", with_target(8_192), 200, None)
    yield head("51 a target of 8 KB and a byte", with_target(8_193), 414, "uri-too-long")
    yield head("51 a target of 100 KB", with_target(100_000), 414, "uri-too-long")
    limit = 1_048_576
    for size, status, slug in (
        (limit, 422, "unknown-field"),
        (limit + 1, 413, "content-too-large"),
    ):
        body, closes = padded(size), status == 413
        chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (size, body)
        sent = [JSON, ("Transfer-Encoding", "chunked")]
        yield send(f"27 {size} bytes", USERS, body, status, slug, closes=closes)
        yield send(
            f"27 {size} bytes in a chunk", USERS, chunks, status, slug, closes=closes, sent=sent
        )


def padded(size: int) -> bytes:
    start = b'{"email": "a@example.com", "x": "'
    return start + b"x" * (size - len(start) - 2) + b'"}'


HEADS = [*addresses(), *methods(), *credentials(), *framing(), *sizes()]
