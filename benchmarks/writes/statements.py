"""The SQL of the variants, written by hand, with the placeholders of either driver."""

from functools import lru_cache

POST = "INSERT INTO posts (id, title, content, author_id, version) VALUES ({}, {}, {}, {}, 1)"
RETURNING = " RETURNING id, title, content, author_id, version, created_at, updated_at"
AUTHOR = "SELECT id, email, name FROM users WHERE id = {}"
AUDIT = (
    "INSERT INTO audit (id, actor, request_id, action, entity, entity_id, changes)"
    " VALUES ({}, {}, {}, 'create', 'posts', {}, {})"
)
_ISO = "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US')"
_DOCUMENT = f"""SELECT json_build_object('id', id, 'title', title, 'content', content,
    'created_at', {_ISO.format("created_at")} || 'Z',
    'updated_at', {_ISO.format("updated_at")} || 'Z',
    'author', (SELECT json_build_object('id', users.id, 'email', email, 'name', name)
        FROM users WHERE users.id = author_id))::text FROM new"""
_TIMES = f"""jsonb_build_object('created_at', {_ISO.format("created_at")} || '+00:00',
    'updated_at', {_ISO.format("updated_at")} || '+00:00')"""

# What was given is sent a second time, as the JSON that the audit row shows of it.
GIVEN_TWICE = f"""WITH new AS ({POST}{RETURNING}), audited AS (
    INSERT INTO audit (id, actor, request_id, action, entity, entity_id, changes)
    SELECT {{}}, {{}}, {{}}, 'create', 'posts', {{}}, {{}}::jsonb || {_TIMES} FROM new)
{_DOCUMENT}"""

# What was given is read back from the new row, in SQL.
READ_BACK = f"""WITH new AS ({POST}{RETURNING}), audited AS (
    INSERT INTO audit (id, actor, request_id, action, entity, entity_id, changes)
    SELECT {{}}, {{}}, {{}}, 'create', 'posts', id::text, jsonb_build_object('id', id,
        'title', title, 'content', content, 'author_id', author_id, 'version', version)
        || {_TIMES} FROM new)
{_DOCUMENT}"""


@lru_cache
def numbered(statement: str) -> str:
    """With $1, $2 … as asyncpg has them."""
    parts = statement.split("{}")
    return "".join(f"{part}${n}" for n, part in enumerate(parts[:-1], start=1)) + parts[-1]


@lru_cache
def formatted(statement: str) -> str:
    """With %s as psycopg has them."""
    return statement.replace("{}", "%s")
