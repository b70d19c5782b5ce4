from collections.abc import Mapping

import pytest
from pydantic import Field

from kingpost.settings import LoadedSettings, ServiceSettings, SettingsError, load


class Settings(ServiceSettings):
    greeting: str = Field("hello", description="what it says")


def loaded(
    environ: Mapping[str, str], dotenv: Mapping[str, str | None] | None = None
) -> LoadedSettings[Settings]:
    return load(Settings, prefix="APP_", environ=environ, dotenv=dotenv)


def mistakes(environ: Mapping[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        loaded(environ)
    assert str(caught.value) == "\n".join(caught.value.lines)
    return caught.value.lines


def test_without_anything_given_all_is_default() -> None:
    settings = loaded({"HOME": "/root", "APPLE": "1"})

    assert settings.values == Settings()
    assert set(settings.origins.values()) == {"default"}
    assert settings.origins.keys() == Settings.model_fields.keys()


def test_the_environment_comes_before_the_file() -> None:
    settings = loaded({"APP_PORT": "1"}, {"APP_PORT": "2", "APP_GREETING": "hi", "OTHER": "x"})

    assert (settings.values.port, settings.values.greeting) == (1, "hi")
    assert settings.origins["port"] == "environment"
    assert settings.origins["greeting"] == ".env"


def test_an_empty_variable_means_the_default_even_over_the_file() -> None:
    settings = loaded({"APP_PORT": ""}, {"APP_PORT": "2"})

    assert settings.values.port == 8000
    assert settings.origins["port"] == "default"


def test_names_are_read_in_any_case() -> None:
    assert loaded({"app_greeting": "hi"}).values.greeting == "hi"


def test_every_mistake_has_its_line() -> None:
    lines = mistakes({"APP_PORT": "many", "APP_GREETIN": "hi", "APP_LOG_LEVEL": "loud"})

    assert len(lines) == 3
    assert "APP_GREETIN: there is no such setting; did you mean APP_GREETING?" in lines
    assert any(line.startswith("APP_PORT: ") for line in lines)
    assert any(line.startswith("APP_LOG_LEVEL: ") for line in lines)


def test_a_name_like_no_other_gets_no_suggestion() -> None:
    assert mistakes({"APP_ZZZZZZZZZZ": "1"}) == ["APP_ZZZZZZZZZZ: there is no such setting"]


@pytest.mark.parametrize(
    ("given", "outer", "inner"),
    [
        ({"APP_REQUEST_TIMEOUT": "5"}, "request_timeout", "statement_timeout"),
        ({"APP_STATEMENT_TIMEOUT": "2"}, "statement_timeout", "lock_timeout"),
        ({"APP_LOCK_TIMEOUT": "1"}, "lock_timeout", "acquire_timeout"),
        ({"APP_BODY_TIMEOUT": "10"}, "request_timeout", "body_timeout"),
    ],
)
def test_timeouts_out_of_order_are_refused(
    given: Mapping[str, str], outer: str, inner: str
) -> None:
    (line,) = mistakes(given)

    assert line.startswith(f"APP_{outer.upper()} (")
    assert f" must exceed APP_{inner.upper()} (" in line


def test_production_wants_keys_and_a_secret() -> None:
    secret = {"APP_SECRET": "s" * 32}

    (line,) = mistakes({"APP_ENVIRONMENT": "production"})
    assert line.startswith("APP_SECRET: is required in production")
    (line,) = mistakes({"APP_ENVIRONMENT": "production", "APP_AUTH": "off", **secret})
    assert line == "APP_AUTH: may not be off in production"
    assert loaded({"APP_ENVIRONMENT": "production", **secret}).values.environment == "production"


def test_a_wrong_secret_is_not_repeated() -> None:
    (line,) = mistakes({"APP_SECRET": "too short"})

    assert line == "APP_SECRET: needs 32 characters or more"


def test_settings_do_not_change_and_do_not_show_secrets() -> None:
    values = loaded({"APP_SECRET": "canary" * 6}).values

    with pytest.raises(ValueError, match="frozen"):
        values.port = 1  # type: ignore[misc]  # that it fails is the point
    assert "canary" not in repr(values)


def test_production_stays_reachable_for_a_while_after_it_is_asked_to_end() -> None:
    production = {"APP_ENVIRONMENT": "production", "APP_SECRET": "s" * 32}

    assert loaded({}).values.drain_seconds == 0
    assert loaded(production).values.drain_seconds == 5
    assert loaded(production | {"APP_DRAIN_SECONDS": "1"}).values.drain_seconds == 1


def test_a_body_has_less_time_than_its_request() -> None:
    assert Settings(request_timeout=20).content_seconds == 16
    assert loaded({"APP_BODY_TIMEOUT": "3"}).values.content_seconds == 3
