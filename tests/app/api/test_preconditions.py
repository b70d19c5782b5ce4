"""ETags of users and posts: nobody overwrites what they have not seen."""

import asyncio
from typing import Any

import httpx
import pytest

USERS, POSTS = "/api/v1/users", "/api/v1/posts"


async def etag(client: httpx.AsyncClient, path: str) -> str:
    return str((await client.get(path)).headers["ETag"])


async def patch(client: httpx.AsyncClient, path: str, tag: str, **body: Any) -> httpx.Response:
    return await client.patch(path, json=body, headers={"If-Match": tag})


async def test_what_is_created_or_changed_comes_with_its_etag(
    client: httpx.AsyncClient, make_user: Any
) -> None:
    author = await make_user()
    body = {"title": "On engines", "content": "They weave.", "author_id": author["id"]}
    created = await client.post(POSTS, json=body)
    post = f"{POSTS}/{created.json()['id']}"

    assert created.headers["ETag"] == await etag(client, post)
    changed = await patch(client, post, created.headers["ETag"], title="On looms")
    assert changed.status_code == 200
    assert changed.headers["ETag"] == await etag(client, post) != created.headers["ETag"]
    assert changed.content == (await client.get(post)).content


async def test_a_patch_that_changes_nothing_leaves_the_etag(
    client: httpx.AsyncClient, make_user: Any
) -> None:
    user = f"{USERS}/{(await make_user())['id']}"
    before = await etag(client, user)

    assert (await patch(client, user, before)).headers["ETag"] == before == await etag(client, user)


async def test_a_post_has_another_etag_when_its_author_is_renamed(
    client: httpx.AsyncClient, make_user: Any, make_post: Any
) -> None:
    author = await make_user()
    post = f"{POSTS}/{(await make_post(author))['id']}"
    before = await etag(client, post)
    await patch(client, f"{USERS}/{author['id']}", "*", name="Augusta")

    assert await etag(client, post) != before
    assert (await patch(client, post, before, title="Late")).status_code == 412


@pytest.mark.parametrize("suffix", ["", "?include=posts"])
@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
async def test_a_known_document_is_not_sent_again(
    client: httpx.AsyncClient, make_user: Any, suffix: str, form: str
) -> None:
    user = f"{USERS}/{(await make_user())['id']}{suffix}"
    whole = await client.get(user)
    known = {"If-None-Match": form.format(whole.headers["ETag"])}
    answer, head = await client.get(user, headers=known), await client.head(user, headers=known)

    content = {"content-length", "content-type"}
    assert (answer.status_code, answer.content) == (304, b"")
    assert (head.status_code, head.content) == (304, b"")
    assert set(answer.headers) == set(whole.headers) - content == set(head.headers)
    for name in ("ETag", "Cache-Control"):
        assert answer.headers[name] == whole.headers[name] == head.headers[name]


@pytest.mark.parametrize("known", ['"other"', "garbage", "", '*, "x"'])
async def test_an_unknown_or_malformed_if_none_match_gets_the_document(
    client: httpx.AsyncClient, make_user: Any, known: str
) -> None:
    user = f"{USERS}/{(await make_user())['id']}"

    assert (await client.get(user, headers={"If-None-Match": known})).status_code == 200


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("excluded", ["*", "{}", 'W/{}, "other"'])
async def test_a_change_of_what_if_none_match_excludes_is_refused(
    client: httpx.AsyncClient, make_user: Any, method: str, excluded: str
) -> None:
    user = f"{USERS}/{(await make_user())['id']}"
    before = await client.get(user)
    headers = {"If-Match": "*", "If-None-Match": excluded.format(before.headers["ETag"])}
    body = {"name": "Ada"} if method == "PATCH" else None
    answer = await client.request(method, user, json=body, headers=headers)

    assert (answer.status_code, answer.json()["type"]) == (412, "/problems/precondition-failed")
    assert (await client.get(user)).content == before.content


async def test_the_etag_of_another_form_is_not_told_to_be_an_old_one(
    client: httpx.AsyncClient, make_user: Any
) -> None:
    user = f"{USERS}/{(await make_user())['id']}"
    answer = await patch(client, user, await etag(client, f"{user}?include=posts"), name="Ada")

    assert answer.status_code == 412
    assert "or the ETag is that of another address" in answer.json()["detail"]
    assert "GET this address again" in answer.json()["detail"]


async def test_forms_of_a_user_have_different_etags(
    client: httpx.AsyncClient, make_user: Any, make_post: Any
) -> None:
    ada = await make_user()
    await make_post(ada)
    user = f"{USERS}/{ada['id']}"
    tags = {await etag(client, path) for path in (user, f"{user}?include=posts")}
    tags.add(await etag(client, f"{USERS}/by-email/{ada['email']}"))

    assert len(tags) == 3
    assert "ETag" not in (await client.get(USERS)).headers


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("tag", "status", "slug"),
    [
        (None, 428, "precondition-required"),
        ('"1-000000"', 412, "precondition-failed"),
        ("W/{}", 412, "precondition-failed"),
        ("garbage", 400, "bad-request"),
        ("", 400, "bad-request"),
        ('*, "x"', 400, "bad-request"),
        ('"open', 400, "bad-request"),
    ],
)
async def test_a_change_without_the_right_etag_is_refused(
    client: httpx.AsyncClient,
    make_user: Any,
    make_post: Any,
    method: str,
    tag: str | None,
    status: int,
    slug: str,
) -> None:
    author = await make_user()
    for path in (f"{POSTS}/{(await make_post(author))['id']}", f"{USERS}/{author['id']}"):
        before = await client.get(path)
        headers = {} if tag is None else {"If-Match": tag.format(before.headers["ETag"])}
        body = {} if method == "PATCH" else None
        answer = await client.request(method, path, json=body, headers=headers)

        assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}")
        assert (await client.get(path)).content == before.content


async def test_one_of_several_etags_in_several_lines_is_enough(
    client: httpx.AsyncClient, make_user: Any
) -> None:
    user = f"{USERS}/{(await make_user())['id']}"
    lines = [("If-Match", '"x", W/"y"'), ("If-Match", await etag(client, user))]

    assert (await client.patch(user, json={"name": "Ada"}, headers=lines)).status_code == 200


async def test_what_is_invalid_or_missing_is_told_before_the_precondition(
    client: httpx.AsyncClient,
) -> None:
    nobody = f"{USERS}/018f0000-0000-7000-8000-000000000000"

    assert (await client.patch(nobody, json={"x": 1})).status_code == 422
    assert (await client.patch(nobody, json={})).status_code == 404
    assert (await client.delete(nobody)).status_code == 404


async def test_of_fifty_writers_with_one_etag_one_wins(
    client: httpx.AsyncClient, make_user: Any
) -> None:
    user = f"{USERS}/{(await make_user())['id']}"
    tag = await etag(client, user)
    answers = await asyncio.gather(
        *(patch(client, user, tag, name=f"Writer {n}") for n in range(50))
    )

    won = [answer for answer in answers if answer.status_code == 200]
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 49
    assert (await client.get(user)).json() == won[0].json()


async def test_two_clients_that_read_modify_write_lose_no_update(
    client: httpx.AsyncClient, make_user: Any, make_post: Any
) -> None:
    post = f"{POSTS}/{(await make_post(await make_user(), content='0'))['id']}"

    async def count_to(times: int) -> None:
        done = 0
        while done < times:
            read = await client.get(post)
            number = int(read.json()["content"]) + 1
            answer = await patch(client, post, read.headers["ETag"], content=str(number))
            assert answer.status_code in (200, 412)
            done += answer.status_code == 200

    await asyncio.gather(count_to(100), count_to(100))

    assert (await client.get(post)).json()["content"] == "200"
