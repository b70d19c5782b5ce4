"""Hostile bodies, and hostile things said about them."""

import gzip
import json
from collections.abc import Iterator

from tests.app.hostile.case import (
    JSON,
    KEY,
    KEYS,
    NEW_KEY,
    POST,
    POSTS,
    SECRET,
    USER,
    USERS,
    Case,
    send,
)
from tests.app.hostile.wire import request


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
        sent=[JSON, ("If-Match", "*")], method="PATCH", pointer="/body/email",
    )  # fmt: skip
    change = {"name": "x"}
    yield send("42 a change without If-Match", f"{USERS}/<user>", change, 428,
        "precondition-required", method="PATCH",
    )  # fmt: skip
    for tag, status, slug in (
        ('"0-000000"', 412, "precondition-failed"), ('W/"1-000000"', 412, "precondition-failed"),
        ("1-000000", 400, "bad-request"), ('"open', 400, "bad-request"),
    ):  # fmt: skip
        yield send(
            f"43 If-Match: {tag}", f"{USERS}/<user>", change, status, slug,
            sent=[JSON, ("If-Match", tag)], method="PATCH",
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


BODIES = [*json_bodies(), *meanings(), *media_types()]
