import pytest

from kingpost.database import DatabaseOptions, UrlError, check_url
from kingpost.database import url as urls
from kingpost.database.url import with_driver


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_a_url_with_an_asynchronous_driver_is_taken_as_it_is(driver: str) -> None:
    url = f"postgresql+{driver}://kay:secret@db.example:5432/library?application_name=x"

    assert check_url(url) == url


@pytest.mark.parametrize(
    "scheme",
    ["postgresql", "postgres", "postgresql+psycopg2", "postgresql+pg8000", "postgres+asyncpg"],
)
def test_a_url_without_or_with_a_synchronous_driver_is_refused_with_the_right_spelling(
    scheme: str,
) -> None:
    with pytest.raises(UrlError) as refused:
        check_url(f"{scheme}://kay:secret@db.example:5433/library?connect_timeout=3")

    message = str(refused.value)
    assert "postgresql+asyncpg://kay:***@db.example:5433/library?connect_timeout=3" in message
    assert "postgresql+psycopg://kay:***@db.example:5433/library?connect_timeout=3" in message
    assert "secret" not in message


@pytest.mark.parametrize(
    "url",
    [
        "",
        "secret",
        "sqlite:///secret.db",
        "mysql+aiomysql://kay:secret@db/library",
        "postgresql+asyncpg:kay:secret@db/library",
        "postgresql+asyncpg://kay:secret@db:port/library",
        "postgresql+asyncpg://kay:secret@db",
        "postgresql+asyncpg://kay:secret@db/library?sslmode=require",
        "postgresql://kay@db/library?password=secret",
        "http://kay:secret@db/library",
    ],
)
def test_what_is_no_usable_url_is_refused_without_showing_the_password(url: str) -> None:
    with pytest.raises(UrlError) as refused:
        check_url(url)

    assert "secret" not in f"{refused.value} {refused.value.__cause__}"
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_options_check_their_url_and_never_show_it() -> None:
    with pytest.raises(UrlError):
        DatabaseOptions("postgres://kay@db/library")

    assert "secret" not in repr(DatabaseOptions("postgresql+asyncpg://kay:secret@db/library"))


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_a_url_as_psql_takes_it_gets_the_installed_driver_and_its_words(scheme: str) -> None:
    url = f"{scheme}://kay:s%40t@db:5433/library?sslmode=require"

    assert with_driver(url) == "postgresql+asyncpg://kay:s%40t@db:5433/library?ssl=require"
    assert check_url(with_driver(url))


@pytest.mark.parametrize(
    "url", ["postgresql+psycopg://kay@db/library?sslmode=require", "mysql://x"]
)
def test_any_other_url_keeps_its_driver(url: str) -> None:
    assert with_driver(url) == url


def test_without_asyncpg_the_other_driver_takes_the_words_of_psql(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(urls, "find_spec", lambda name: None if name == "asyncpg" else name)

    assert with_driver("postgresql://db/x?sslmode=require") == (
        "postgresql+psycopg://db/x?sslmode=require"
    )


@pytest.mark.parametrize(("absent", "present"), [("asyncpg", "psycopg"), ("psycopg", "asyncpg")])
def test_a_driver_that_is_not_installed_is_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, absent: str, present: str
) -> None:
    monkeypatch.setattr(urls, "find_spec", lambda name: None if name == absent else object())

    with pytest.raises(UrlError, match=rf"pip install 'kingpost\[{absent}\]'$"):
        check_url(f"postgresql+{absent}://db/library")
    assert check_url(f"postgresql+{present}://db/library")
    assert urls.any_driver() == present


def test_without_any_driver_the_message_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urls, "find_spec", lambda _: None)

    with pytest.raises(UrlError, match=r"pip install 'kingpost\[asyncpg\]'"):
        urls.any_driver()
