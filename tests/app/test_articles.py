"""What the two articles show has to work here, unchanged in meaning."""

import httpx


async def test_create_user(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "/api/v1/users/", json={"email": "test@example.com", "is_active": True}
    )

    assert response.status_code == 201
    assert response.json()["email"] == "test@example.com"


async def test_the_duplicate_is_a_conflict_that_names_the_email(client: httpx.AsyncClient) -> None:
    first = await client.post("/api/v1/users/", json={"email": "test@example.com"})
    second = await client.post("/api/v1/users/", json={"email": "TEST@Example.com"})

    assert (first.status_code, second.status_code) == (201, 409)
    assert second.json()["errors"][0]["pointer"] == "/body/email"
    assert "email" in second.json()["detail"]


async def test_an_unknown_email_is_not_found_in_the_words_of_the_article(
    client: httpx.AsyncClient,
) -> None:
    response = await client.get("/api/v1/users/by-email/nobody@example.com")

    assert response.status_code == 404
    assert response.json()["detail"] == "User with email nobody@example.com not found"
