"""Hostile requests and their answers: rows of the table that the design of Kingpost began with.

The number in front of a name is the row. Rows 37 to 44, 53 and 54 (idempotency keys,
preconditions, quotas, overload) belong to what the service does not have yet. Words in angle
brackets are filled in by `World`.
"""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.app.hostile.wire import Headers, request

SECRET = "s3cret-canary"
JSON = ("Content-Type", "application/json")
KEY = ("Authorization", "Bearer <key>")
USERS, POSTS, KEYS = "/api/v1/users", "/api/v1/posts", "/api/v1/keys"
# A valid body for each, to be spoilt in one place.
USER = {"email": "new@example.com", "name": SECRET}
POST = {"title": SECRET, "content": "They weave.", "author_id": "<user>"}
NEW_KEY = {"name": SECRET, "scopes": ["posts:read"]}


@dataclass(frozen=True)
class Case:
    """One request and what it has to be answered with.

    Attributes:
        name: the row and what is wrong.
        data: the whole request; words in angle brackets are still in it.
        status: the exact status.
        slug: of the problem type; None if the answer is not a problem.
        pointer: where the first error is said to be.
        headers: that the answer has, with their whole values.
        closes: the server ends the connection.
        guarded: it is for the server with allowed hosts.
    """

    name: str
    data: bytes
    status: int
    slug: str | None
    pointer: str | None = None
    headers: Headers = ()
    closes: bool = False
    guarded: bool = False

    @property
    def head(self) -> bool:
        return self.data.startswith(b"HEAD ")


def get(name: str, target: str, status: int, slug: str | None, **more: Any) -> Case:
    return Case(name, request(more.pop("method", "GET"), target, [KEY]), status, slug, **more)


def send(name: str, target: str, body: object, status: int, slug: str, **more: Any) -> Case:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = more.pop("sent", [JSON])
    return Case(
        name, request(more.pop("method", "POST"), target, [KEY, *sent], raw), status, slug, **more
    )


def json_bodies() -> Iterator[Case]:
    def refused(name: str, body: bytes, status: int = 400, slug: str = "malformed-json") -> Case:
        return send(name, USERS, body, status, slug)

    def invalid(name: str, target: str, body: object, pointer: str | None = None) -> Case:
        return send(name, target, body, 422, "validation-error", pointer=pointer)

    yield refused("1 malformed JSON", b'{"email":')
    yield refused("2 an empty body", b"")
    for text in (b"[]", b"null", b"5", b'"x"', b"true"):
        yield refused(f"3 {text.decode()} at the top", text, 422, "validation-error")
    yield invalid("4 a number for an email", USERS, {"email": 5}, "/body/email")
    yield send(
        "5 an unknown field", USERS, USER | {"is_admin": True}, 422, "unknown-field",
        pointer="/body/is_admin",
    )  # fmt: skip
    yield refused("6 a repeated name", b'{"email": "a@example.com", "email": "b@example.com"}')
    for number in (b"NaN", b"Infinity", b"-Infinity"):
        yield refused(f"7 {number.decode()}", b'{"email": "a@example.com", "x": %s}' % number)
    yield refused("7 1e400", b'{"is_active": 1e400}', 422, "validation-error")
    for number in (b"1.0", b'"1"', b"true", b"1e0"):
        body = json.dumps(NEW_KEY)[:-1].encode() + b', "expires_in_days": %s}' % number
        yield invalid(f"8 {number.decode()} for an integer", KEYS, body, "/body/expires_in_days")
    for field, target, valid in (
        ("name", USERS, USER),
        ("title", POSTS, POST),
        ("name", KEYS, NEW_KEY),
    ):
        pointer = f"/body/{field}"
        yield invalid(f"9 NUL, {target}", target, valid | {field: "a\0b"}, pointer)
        yield invalid(f"10 a lone surrogate, {target}", target, valid | {field: "\ud800"}, pointer)
        yield invalid(f"26 40 KB, {target}", target, valid | {field: "x" * 40_000}, pointer)
    yield invalid("9 NUL in content", POSTS, POST | {"content": "\0"}, "/body/content")
    yield invalid("10 a surrogate in a refused field", USERS, {"email": "\udfff"}, "/body/email")
    yield send(
        "10 a surrogate in an unknown name", USERS, USER | {"\ud800": 1}, 422, "validation-error"
    )  # fmt: skip
    yield refused("11 invalid UTF-8", b'{"email": "\xff@example.com"}')
    yield refused("11 an overlong UTF-8 slash", b'{"email": "\xc0\xaf@example.com"}')
    yield refused("12 UTF-16", json.dumps(USER).encode("utf-16"))
    yield refused("12 UTF-16 without its mark", json.dumps(USER).encode("utf-16-le"))
    yield refused("12 UTF-32", json.dumps(USER).encode("utf-32"))
    yield refused("12 a byte order mark", b"\xef\xbb\xbf" + json.dumps(USER).encode())
    yield refused("13 100 000 brackets", b"[" * 100_000)
    yield refused("13 10 000 nested objects", b'{"a":' * 10_000 + b"1" + b"}" * 10_000)
    yield refused("13 65 levels", b'{"email":' + b"[" * 65 + b"]" * 65 + b"}")
    yield from swarms()
    yield refused("14 20 000 digits", b'{"email": %s}' % (b"9" * 20_000))
    for number in (2**31, 2**63, 2**64 + 1, -(2**63) - 1):
        body = NEW_KEY | {"expires_in_days": number}
        yield invalid(f"15 {number} for an integer", KEYS, body, "/body/expires_in_days")
    for title, field, value in texts():
        yield invalid(
            f"25 {title}", USERS, {"email": "z@example.com"} | {field: value}, f"/body/{field}"
        )
    yield invalid("26 an email of 40 KB", USERS, {"email": f"{'x' * 40_000}@b.co"}, "/body/email")
    yield invalid("26 content of 40 KB", POSTS, POST | {"content": "x" * 40_000}, "/body/content")


def swarms() -> Iterator[Case]:
    """Small mistakes by the thousand: the answer stays small, and the server is soon free again."""
    unknown = USER | {f"{'x' * 60}%{n}": 1 for n in range(5_000)}
    yield send("5 5 000 unknown fields", USERS, unknown, 422, "unknown-field")
    for name, item, slug in (
        ("numbers", 0, "validation-error"),
        ("empty posts", {}, "validation-error"),
        ("posts with 30 unknown fields", POST | {f"x{n}": n for n in range(30)}, "unknown-field"),
    ):
        items = {"items": [item] * 500}
        yield send(f"3 a batch of 500 {name}", f"{POSTS}:batch", items, 422, slug)
    strangers = {"items": [POST | {"author_id": "<missing>"}] * 500}
    yield send("46 500 missing authors", f"{POSTS}:batch", strangers, 422, "invalid-reference")
    many = {"email": [0] * 30_000}
    yield send("27 30 000 values", USERS, many, 413, "content-too-large")
    brackets = b"[" + b"[[[[[[[[[]]]]]]]]]," * 350_000 + b"0]"
    yield send("27 seven million brackets", f"{POSTS}:batch", brackets, 413, "content-too-large")


def texts() -> Iterator[tuple[str, str, str]]:
    """Text that shows nothing, and addresses that look like another one."""
    yield from (("a blank name", "name", "\t \u00a0"), ("an empty name", "name", ""))
    yield "a name without width", "name", "\u200b\u200d\ufeff"
    yield "a name of directions", "name", "\u202e\u2066"
    yield "a right-to-left email", "email", "\u202eada@example.com"
    yield "an email without width", "email", "ad\u200ba@example.com"
    yield "an NFC email", "email", "\u00e9@example.com"
    yield "an NFD email", "email", "e\u0301@example.com"
    yield "a full-width email", "email", "ada\uff20example.com"


def meanings() -> Iterator[Case]:
    """Bodies that are well formed and contradict what is there, or what may be said."""
    yield send(
        "45 a taken email", USERS, {"email": "<email>"}, 409, "conflict", pointer="/body/email"
    )
    yield send("25 a taken email in capitals", USERS, {"email": "<EMAIL>"}, 409, "conflict")
    yield send(
        "45 a taken email in a change", f"{USERS}/<other>", {"email": "<email>"}, 409, "conflict",
        method="PATCH", pointer="/body/email",
    )  # fmt: skip
    missing = POST | {"author_id": "<missing>"}
    yield send(
        "46 a missing author", POSTS, missing, 422, "invalid-reference", pointer="/body/author_id"
    )
    yield send(
        "46 a missing author in a batch", f"{POSTS}:batch", {"items": [POST, missing]}, 422,
        "invalid-reference", pointer="/body/items/1/author_id",
    )  # fmt: skip
    for field in ("id", "created_at", "updated_at", "version", "key_hash"):
        for target, valid in ((USERS, USER), (POSTS, POST), (KEYS, NEW_KEY)):
            yield send(
                f"48 {field}, {target}", target, valid | {field: SECRET}, 422, "unknown-field",
                pointer=f"/body/{field}",
            )  # fmt: skip
    for field in ("author_id", "author", "search"):
        yield send(
            f"48 a change of {field}", f"{POSTS}/<post>", {field: "<other>"}, 422, "unknown-field",
            method="PATCH", pointer=f"/body/{field}",
        )  # fmt: skip


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
    for place in ("%25", "_", "%5C", "%25%25", "x%25", "%27", "%3A*", "%26%7C!"):
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


def media_types() -> Iterator[Case]:
    posted, patched = [("accept-post", "application/json")], [("accept-patch", "application/json")]
    kinds = (
        "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
        "application/jsonp", "application/json; charset=latin-1", "*/*", "json", "",
    )  # fmt: skip
    for kind in kinds:
        sent = [("Content-Type", kind)]
        yield send(
            f"28 {kind}", USERS, USER, 415, "unsupported-media-type", sent=sent, headers=posted
        )
    yield send("28 no type", USERS, USER, 415, "unsupported-media-type", sent=[], headers=posted)
    yield send(
        "28 a change as text", f"{USERS}/<user>", {"name": "x"}, 415, "unsupported-media-type",
        sent=[("Content-Type", "text/plain")], method="PATCH", headers=patched,
    )  # fmt: skip
    bomb = gzip.compress(b'{"name": "' + b"0" * 10_000_000 + b'"}')
    for coding, body in (("gzip", bomb), ("br", b"x"), ("identity, gzip", bomb), ("GZIP", bomb)):
        yield send(
            f"29 {coding}", USERS, body, 415, "unsupported-media-type",
            sent=[JSON, ("Content-Encoding", coding)],
        )  # fmt: skip
    wish = [KEY, ("Accept", "application/xml")]
    answer = [("content-type", "application/json")]
    yield Case("30 Accept: application/xml", request("GET", USERS, wish), 200, None, headers=answer)


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


CASES = [
    *json_bodies(), *meanings(), *addresses(), *methods(), *media_types(), *credentials(),
    *framing(), *sizes(),
]  # fmt: skip
