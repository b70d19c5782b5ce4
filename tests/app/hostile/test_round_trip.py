"""Whatever is accepted comes back equal, from every place that shows it; the rest is refused."""

import json
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.app.hostile.conftest import World

# What breaks stores: NUL, surrogates, noncharacters, directions, combining marks, other planes.
ODD = "\0\ud800\udfff\uffff\ufeff\u202e\u200b\u0301\u00df\u0130\u1e9e\U0001f468\U0010ffff"
ODD += "%_\\'\"\x7f\x85"
TEXT = st.text(st.one_of(st.characters(), st.sampled_from(ODD)), max_size=60)
LONG = st.one_of(TEXT, st.builds(str.__mul__, TEXT, st.integers(1, 60)))
LOCAL = "abcxyzABCXYZ0189.!#$%&'*+/=?^_`{|}~- \u00e9\"(),:;<>[]@"
EMAIL = st.builds(
    "{}@{}".format,
    st.text(st.sampled_from(LOCAL), min_size=1, max_size=70),
    st.one_of(st.just("example.com"), st.text(st.sampled_from("aB1-._"), max_size=20)),
)
fuzzed = settings(
    max_examples=120, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


@pytest.fixture(scope="session")
def http(world: World) -> Any:
    with httpx.Client(
        base_url=world.server.url, headers=world.server.headers, trust_env=False, timeout=60
    ) as client:
        yield client


def accepted(answer: httpx.Response) -> bool:
    assert answer.status_code in {200, 201, 422}, answer.text
    if answer.status_code == 422:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["errors"]
    return answer.is_success


def send(http: httpx.Client, method: str, path: str, body: dict[str, Any]) -> httpx.Response:
    """Escapes everything that is not ASCII, so that even half a surrogate pair can be sent."""
    headers = {"Content-Type": "application/json", "If-Match": "*"}
    return http.request(method, f"/api/v1/{path}", content=json.dumps(body), headers=headers)


@fuzzed
@given(name=LONG)
@example(name="\u00e9")
@example(name="e\u0301")
@example(name=" x ")
@example(name="x" * 200)
@example(name="\U0001f468" * 200)
@example(name="x" * 201)
@example(name="")
def test_a_name_comes_back_equal_from_everywhere(http: httpx.Client, name: str) -> None:
    email = f"{uuid4().hex}@example.com"

    made = send(http, "POST", "users", {"email": email, "name": name})

    if not accepted(made):
        assert http.get(f"/api/v1/users/by-email/{email}").status_code == 404
        return
    user = made.json()
    assert (user["name"], user["email"]) == (name, email)
    assert http.get(made.headers["location"]).json() == user
    assert http.get(f"/api/v1/users/by-email/{email}").json() == user
    assert http.get("/api/v1/users", params={"email": email}).json()["items"] == [user]
    changed = send(http, "PATCH", f"users/{user['id']}", {"name": name})
    assert changed.json()["name"] == name
    entry = http.get("/api/v1/audit", params={"entity_id": user["id"], "limit": 1}).json()
    assert http.get("/api/v1/users?limit=1").json()["items"][0]["name"] == name
    assert entry["items"]


@fuzzed
@given(email=EMAIL)
@example(email="a/../b@example.com")
@example(email="a%2Fb+c?d#e@example.com")
@example(email="MiXeD@ExAmPlE.com")
@example(email=f"{'x' * 64}@example.com")
@example(email=f"a@{'x' * 63}.{'y' * 63}.{'z' * 63}.{'w' * 61}")
def test_an_email_comes_back_as_it_was_written(http: httpx.Client, email: str) -> None:
    made = send(http, "POST", "users", {"email": email})
    path = f"/api/v1/users/by-email/{quote(email, safe='')}"

    if made.status_code == 409 or not accepted(made):
        assert http.get(path).status_code == (200 if made.status_code == 409 else 404)
        return
    user = made.json()
    assert user["email"] == email
    for spelling in (email, email.upper(), email.lower()):
        found = http.get(f"/api/v1/users/by-email/{quote(spelling, safe='')}")
        assert found.json() == user
        assert http.get("/api/v1/users", params={"email": spelling}).json()["items"] == [user]
        assert send(http, "POST", "users", {"email": spelling}).status_code == 409
    assert send(http, "DELETE", f"users/{user['id']}", {}).status_code == 204
    assert http.get(path).status_code == 404


@fuzzed
@given(title=LONG, content=LONG)
@example(title="x" * 200, content="")
@example(title="x", content="\U0010ffff" * 2000)
@example(title="x", content="x" * 2001)
@example(title="<b>&amp;", content="\r\n\t\x01\x1f")
def test_a_post_comes_back_equal_from_everywhere(
    world: World, http: httpx.Client, title: str, content: str
) -> None:
    wanted = {"title": title, "content": content}
    author = world.known["<other>"]

    made = send(http, "POST", "posts", {**wanted, "author_id": author})

    if not accepted(made):
        refused = send(http, "POST", "posts:batch", {"items": [{**wanted, "author_id": author}]})
        assert refused.status_code == 422
        return
    post = made.json()
    assert {name: post[name] for name in wanted} == wanted
    assert http.get(made.headers["location"]).json() == post
    assert http.get("/api/v1/posts?limit=1").json()["items"] == [post]
    assert http.get(f"/api/v1/users/{author}/posts?limit=1").json()["items"] == [post]
    shown = http.get(f"/api/v1/users/{author}?include=posts").json()["posts"][0]
    assert {name: shown[name] for name in wanted} == wanted
    found = http.get("/api/v1/posts", params={"q": title[:200]})
    assert found.status_code in {200, 422}
    batch = send(http, "POST", "posts:batch", {"items": [{**wanted, "author_id": author}]})
    assert {name: batch.json()["items"][0][name] for name in wanted} == wanted


@fuzzed
@given(name=LONG)
@example(name="x" * 100)
@example(name="x" * 101)
def test_the_name_of_a_key_comes_back_equal(http: httpx.Client, name: str) -> None:
    made = send(http, "POST", "keys", {"name": name, "scopes": ["posts:read"]})

    if not accepted(made):
        return
    key = {field: value for field, value in made.json().items() if field != "key"}
    assert key["name"] == name
    assert http.get(made.headers["location"]).json() == key
    assert http.get("/api/v1/keys?limit=1").json()["items"] == [key]
