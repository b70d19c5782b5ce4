"""Gives schemathesis what only the service can make; loaded by it, not by pytest.

A schema can say what an author's id or a cursor looks like, not which ones there are. Without
this nearly every valid post would be a 422 and every valid cursor a 400. What is meant to be
invalid stays as it is.
"""

import os
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import requests
import schemathesis
from schemathesis.generation import GenerationMode

URL = os.environ["FUZZ_URL"]
OWN_KEY = os.environ["FUZZ_KEY_ID"]
service = requests.Session()
service.trust_env = False
service.headers["Authorization"] = f"Bearer {os.environ['FUZZ_KEY']}"


@schemathesis.hook
def map_case(_: schemathesis.HookContext, case: schemathesis.Case) -> schemathesis.Case:
    if str((case.path_parameters or {}).get("key_id")).lower() == OWN_KEY:
        case.path_parameters["key_id"] = str(uuid4())  # a rotation would end the key we fuzz with
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return case
    for post in posts(case.body):
        post["author_id"] = author()
    if case.query and "cursor" in case.query:
        case.query = with_cursor(case.formatted_path, case.query)
    if case.headers and "If-Match" in case.headers:
        case.headers["If-Match"] = "*"
    if case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = f'"{uuid4()}"'  # used once, and not for other requests
    case.body = with_plain_integers(case.body)
    return case


def posts(body: object) -> Iterator[dict[str, Any]]:
    if isinstance(body, dict):
        if "author_id" in body:
            yield body
        for item in body.get("items", ()):
            yield from posts(item)


def author() -> str:
    body = {"email": f"{uuid4()}@example.com"}
    answer = service.post(f"{URL}/api/v1/users", json=body)
    answer.raise_for_status()
    return str(answer.json()["id"])


def with_cursor(path: str, query: dict[str, Any]) -> dict[str, Any]:
    """A cursor belongs to its query: ask for the first item, and go on from there."""
    others = {name: value for name, value in query.items() if name != "cursor"}
    first = service.get(f"{URL}{path}", params={**others, "limit": 1})
    following = first.json().get("next") if first.ok else None
    return {**others, "cursor": following} if following else others


def with_plain_integers(value: object) -> object:
    """1.0 is written as 1, as JavaScript does; that 1.0 is refused, test_hostile_input.py shows."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: with_plain_integers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [with_plain_integers(item) for item in value]
    return value
