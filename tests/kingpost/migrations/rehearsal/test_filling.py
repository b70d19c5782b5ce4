"""Any schema gets rows, from its catalog alone."""

import pytest
from tests.kingpost.library import SCHEMA
from tests.kingpost.migrations.rehearsal.rows import count, filled, value, with_connection

from kingpost.migrations import upgrade
from kingpost.migrations.rehearsal.filling import fill
from kingpost.project import Project
from kingpost.testing.databases import execute

TYPES = (  # noqa: SIM905 - easier to read
    "int2 int4 int8 numeric numeric(6,2) numeric(3,3) float4 float8 bool text varchar varchar(2) "
    "varchar(40) char char(3) name bytea uuid date timestamp timestamptz time timetz interval "
    "json jsonb jsonpath int[] varchar(5)[] int4range numrange tsrange tstzrange daterange "
    "int4multirange datemultirange inet cidr macaddr macaddr8 bit(3) varbit bit(80) money tsvector "
    'tsquery point line lseg box path polygon circle pg_lsn xid xid8 oid tid "char" mood pair small'
).split()
PARTITIONED = (
    "CREATE TABLE events (id bigint, at timestamptz, kind text) PARTITION BY RANGE (at)",
    "ALTER TABLE events ADD PRIMARY KEY (id, at, kind)",
    "CREATE TABLE january PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2024-02-01')",
    "CREATE TABLE february (LIKE events INCLUDING INDEXES) PARTITION BY LIST (kind)",
    "ALTER TABLE events ATTACH PARTITION february FOR VALUES FROM ('2024-02-01') TO ('2024-03-01')",
    "CREATE TABLE february_x PARTITION OF february FOR VALUES IN ('x', 'y')",
    "CREATE TABLE february_rest PARTITION OF february DEFAULT",
    "CREATE TABLE rest PARTITION OF events DEFAULT",
    "CREATE TABLE hashed (id int PRIMARY KEY) PARTITION BY HASH (id)",
    "CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
    "CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
)


@pytest.mark.parametrize("edges", [False, True])
def test_a_column_of_any_type_gets_values(empty_database_url: str, edges: bool) -> None:
    made = filled(
        empty_database_url,
        "CREATE TYPE mood AS ENUM ('sad', 'it''s \"fine\"')",
        "CREATE TYPE pair AS (a int, b varchar(3))",
        "CREATE DOMAIN small AS int CHECK (VALUE > 0 AND VALUE < 5)",
        *(f"CREATE TABLE t{number} (id serial, c {kind})" for number, kind in enumerate(TYPES)),
        edges=edges,
    )

    assert made.failed == {}
    for number, kind in enumerate(TYPES):
        given = count(empty_database_url, f"t{number}", "c")
        assert 30 <= given < 40 if edges else given == 40, kind


CONDITIONS = [
    "a IN ('x', 'it''s')",
    "a ~ '^[^@]+@[^@]+\\.[a-z]{2,}$'",
    "a ~ '^[A-Z]{2}[0-9]{4}$'",
    "a ~* '^(red|green)-\\d+$'",
    "a LIKE 'user:%'",
    "length(a) = 3",
    "char_length(a) BETWEEN 200 AND 300",
    "a = upper(a) AND a <> lower(a)",
    "a LIKE 'https://%'",
    "position('@' in a) > 1",
    "n > 1000 AND n <= 1005",
    "n < 0",
    "n % 7 = 3",
    "d > '2030-01-01' AND d < '2030-01-03'",
    "d < e",
    "e > d + interval '1 hour'",
    "num_nonnulls(n, m) = 1",
    "m > n",
    "jsonb_typeof(j) = 'array'",
    "j ? 'kind' AND j ->> 'kind' IN ('x', 'y')",
    "a SIMILAR TO '[0-9]{5}'",
    "a ~ '^[a-z0-9]+(?:-[a-z0-9]+)*$'",
    "(a = 'sent') = (d IS NOT NULL) AND a IN ('new', 'sent')",
    "j ? 'key'",
    "octet_length(b) = 32",
    "array_length(l, 1) = 2",
    "l <@ ARRAY['p', 'q']",
    "(n IS NULL) = (a IS NULL)",
    "a = 'on' AND n > 0 OR a = 'off' AND n < 0",
]


def test_conditions_are_met(empty_database_url: str) -> None:
    made = filled(
        empty_database_url,
        *(
            f"CREATE TABLE t{number} (id serial PRIMARY KEY, a text, n int, m int, d timestamptz,"
            f" e timestamptz, j jsonb, b bytea, l text[], CHECK ({condition}))"
            for number, condition in enumerate(CONDITIONS)
        ),
        edges=True,
    )

    assert made.failed == {}
    for number, condition in enumerate(CONDITIONS):
        assert count(empty_database_url, f"t{number}") == 40, condition


def test_what_cannot_be_filled_is_named_with_the_reason(empty_database_url: str) -> None:
    made = filled(
        empty_database_url,
        "CREATE TABLE never (a int NOT NULL CHECK (a > 5), CHECK (a < 3))",
        "CREATE TABLE after (id int PRIMARY KEY, never int)",
        "CREATE TABLE known (id int)",
    )

    assert list(made.failed) == ["never"]
    assert "violates check constraint" in made.failed["never"]
    assert sorted(made.tables) == ["after", "known"]


def test_references_lead_to_rows_in_whatever_order_the_tables_are(empty_database_url: str) -> None:
    made = filled(
        empty_database_url,
        "CREATE TABLE z (id bigserial PRIMARY KEY, parent bigint REFERENCES z)",
        "CREATE TABLE a (id int PRIMARY KEY, z_id bigint NOT NULL UNIQUE REFERENCES z)",
        "CREATE TABLE pairs (a int REFERENCES a, z bigint REFERENCES z, PRIMARY KEY (a, z))",
        "CREATE TABLE left_ (id int PRIMARY KEY, r int NOT NULL)",
        "CREATE TABLE right_ (id int PRIMARY KEY, l int NOT NULL REFERENCES left_)",
        "ALTER TABLE left_ ADD FOREIGN KEY (r) REFERENCES right_",
        "CREATE TABLE tenants (id int PRIMARY KEY)",
        "CREATE TABLE users_ (t int REFERENCES tenants, id int, PRIMARY KEY (t, id))",
        "CREATE TABLE teams (t int REFERENCES tenants, id int, PRIMARY KEY (t, id))",
        "CREATE TABLE members (t int, u int, g int, PRIMARY KEY (t, u, g),"
        " FOREIGN KEY (t, u) REFERENCES users_, FOREIGN KEY (t, g) REFERENCES teams)",
    )

    assert made.failed == {}
    assert value(empty_database_url, "SELECT count(parent) FROM z") == 40
    for table in ("pairs", "left_", "right_", "members"):
        assert count(empty_database_url, table) == 40
    assert every_constraint_holds(empty_database_url)


def every_constraint_holds(url: str) -> bool:
    """Makes each foreign key anew, which looks at every row."""
    found = execute(
        url,
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE contype = 'f'",
    )
    for table, name, definition in found:
        execute(url, f"ALTER TABLE {table} DROP CONSTRAINT {name}, ADD CONSTRAINT x {definition}")
        execute(url, f"ALTER TABLE {table} RENAME CONSTRAINT x TO {name}")
    return bool(found)


def test_keys_of_columns_with_few_values_get_as_many_rows_as_they_can(
    empty_database_url: str,
) -> None:
    made = filled(
        empty_database_url,
        "CREATE TYPE mood AS ENUM ('a', 'b', 'c')",
        "CREATE TABLE f (x bool, y mood, PRIMARY KEY (x, y))",
        "CREATE TABLE loans (during int4range NOT NULL, EXCLUDE USING gist (during WITH &&))",
        "CREATE TABLE d (a int UNIQUE DEFERRABLE INITIALLY DEFERRED, b char(2) UNIQUE)",
        "CREATE TABLE only_id (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY)",
    )

    assert made.failed == {}
    assert value(empty_database_url, "SELECT count(*) FROM f") == 6
    for table in ("loans", "d", "only_id"):
        assert count(empty_database_url, table) == 40


def test_every_partition_gets_rows(empty_database_url: str) -> None:
    made = filled(empty_database_url, *PARTITIONED)

    assert made.failed == {}
    for leaf in ("january", "february_x", "february_rest", "rest", "hashed_0", "hashed_1"):
        assert count(empty_database_url, leaf) >= 10


def test_tables_with_rows_stay_as_they_are_and_triggers_do_not_fire(
    empty_database_url: str,
) -> None:
    made = filled(
        empty_database_url,
        "CREATE TABLE old (id int PRIMARY KEY)",
        "INSERT INTO old VALUES (7)",
        "CREATE TABLE new (id int PRIMARY KEY, old int NOT NULL REFERENCES old)",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN RAISE EXCEPTION 'no'; END $$",
        "CREATE TRIGGER refuse BEFORE INSERT ON new FOR EACH ROW EXECUTE FUNCTION refuse()",
        "CREATE MATERIALIZED VIEW seen AS SELECT count(*) AS n FROM new WITH NO DATA",
    )

    assert (made.tables, made.failed) == (("new",), {})
    assert value(empty_database_url, "SELECT array_agg(DISTINCT old) FROM new") == [7]
    assert value(empty_database_url, "SELECT n FROM seen") == 40


def test_names_are_quoted(empty_database_url: str) -> None:
    made = filled(
        empty_database_url,
        'CREATE SCHEMA "Odd One"',
        'CREATE TABLE "Odd One"."Sel""ect" ("From %s :x" serial PRIMARY KEY,'
        ' "or""der" text NOT NULL CHECK ("or""der" IN (\'a%s\', \'b:c\')))',
    )

    assert made.tables == ('Odd One.Sel"ect',)
    assert value(empty_database_url, 'SELECT count(*) FROM "Odd One"."Sel""ect"') == 40


def test_the_same_number_gives_the_same_key_in_each_table(empty_database_url: str) -> None:
    filled(
        empty_database_url,
        "CREATE TABLE a (id uuid PRIMARY KEY, n bigserial, name varchar(30))",
        "CREATE TABLE b (id int PRIMARY KEY, a_id uuid NOT NULL, a_n bigint, a_name text)",
    )

    execute(
        empty_database_url,
        "ALTER TABLE a ADD UNIQUE (n), ADD UNIQUE (name)",
        "ALTER TABLE b ADD FOREIGN KEY (a_id) REFERENCES a, ADD FOREIGN KEY (a_n) REFERENCES a (n)",
    )


def test_nulls_and_edges_are_in_some_rows_but_never_in_all_columns_of_one(
    empty_database_url: str,
) -> None:
    filled(
        empty_database_url,
        "CREATE TABLE t (id serial PRIMARY KEY, a text, b varchar(7), c int, d text NOT NULL)",
        rows=100,
        edges=True,
    )

    assert value(empty_database_url, "SELECT count(*) FROM t WHERE a IS NULL") == 10
    assert value(empty_database_url, "SELECT count(*) FROM t WHERE num_nulls(a, b, c) = 3") == 0
    assert value(empty_database_url, "SELECT max(length(b)) FROM t") == 7
    assert value(empty_database_url, "SELECT max(c) FROM t") == 2**31 - 1
    assert value(empty_database_url, "SELECT count(*) FROM t WHERE d = ''") == 1


@pytest.mark.parametrize("edges", [False, True])
def test_the_tables_of_the_service_and_of_the_library_are_filled(
    project: Project, empty_database_url: str, edges: bool
) -> None:
    upgrade(project, empty_database_url)
    execute(empty_database_url, *SCHEMA)

    made = with_connection(empty_database_url, lambda connection: fill(connection, 50, edges=edges))

    assert made.failed == {}
    assert set(made.tables) >= {"rate_limits", "idempotency_keys", "audit_entries"}
    for table in ("users", "posts", "audit", "keys", "authors", "books", "loans"):
        assert count(empty_database_url, table) == 50
    assert every_constraint_holds(empty_database_url)
