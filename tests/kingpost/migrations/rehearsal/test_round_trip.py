"""There and back again, the schema and the data are compared."""

from tests.kingpost.migrations.rehearsal.rehearsed import SCHEMA, USES, rehearsed

from kingpost.embedded import EmbeddedPostgres
from kingpost.migrations.rehearsal.rehearse import Options, Script, rehearse_script
from kingpost.migrations.rehearsal.verdicts import Verdict

GOOD = {
    "ALTER TABLE people ADD x int": "ALTER TABLE people DROP x",
    "CREATE TABLE pets (id int)": "DROP TABLE pets",
    "ALTER TABLE people RENAME note TO text": "ALTER TABLE people RENAME text TO note",
    "INSERT INTO teams VALUES (-1, 'new')": "SELECT 1",
    "UPDATE people SET age = 1 WHERE age IS NULL AND id < 50": "SELECT 1",
}
LOSING = {
    "UPDATE people SET email = '' WHERE id < 10": "SELECT 1",
    "DELETE FROM people WHERE id < 4": "SELECT 1",
    "DROP TABLE teams": "CREATE TABLE teams (id bigint PRIMARY KEY, name text NOT NULL)",
    "ALTER TABLE people DROP note": "ALTER TABLE people ADD note text",
    "UPDATE keyless SET b = 1 WHERE a = 2": "SELECT 1",
}
KEYLESS = "CREATE TABLE keyless AS SELECT n AS a, n AS b FROM generate_series(1, 5) n;"


def test_a_good_way_back_passes(postgres: EmbeddedPostgres) -> None:
    revision = rehearsed(postgres, ";".join(GOOD), undo=";".join(GOOD.values()))
    assert revision.round_trip is not None
    assert (revision.round_trip.schema, revision.round_trip.lost) == ("equal", ())
    assert revision.verdict.passes
    assert [statement.undo for statement in revision.statements] == [False] * 5 + [True] * 5


def test_what_is_missing_then_is_named(postgres: EmbeddedPostgres) -> None:
    undo = ";".join(LOSING.values())
    revision = rehearsed(postgres, ";".join(LOSING), undo=undo, schema=SCHEMA + KEYLESS)
    assert revision.round_trip is not None
    assert revision.round_trip.lost == (
        "keyless.b",
        "people (3 rows)",
        "people.email",
        "people.note",
        "teams (300 rows)",
    )
    assert revision.verdict is Verdict.LOSSY


def test_without_a_way_back_there_is_nothing_to_say(postgres: EmbeddedPostgres) -> None:
    assert rehearsed(postgres, "CREATE TABLE pets (id int)").round_trip is None


def test_a_column_that_comes_back_at_the_end_is_no_difference(postgres: EmbeddedPostgres) -> None:
    revision = rehearsed(
        postgres,
        "ALTER TABLE a DROP x",
        undo="ALTER TABLE a ADD x int",
        schema="CREATE TABLE a (x int, y int)",
        data="INSERT INTO a VALUES (NULL, 1)",
    )
    assert revision.round_trip is not None
    assert revision.round_trip.schema == "equal but for the order of columns"
    assert revision.verdict is Verdict.BRIEF_LOCK


def test_another_schema_is_not_reversible(postgres: EmbeddedPostgres) -> None:
    revision = rehearsed(postgres, "CREATE TABLE pets (id int)", undo="SELECT 1")
    assert revision.round_trip is not None
    assert revision.round_trip.schema == "different"
    assert "+CREATE TABLE public.pets" in revision.round_trip.difference
    assert revision.verdict is Verdict.NOT_REVERSIBLE


def test_a_way_back_that_fails_is_not_reversible(postgres: EmbeddedPostgres) -> None:
    revision = rehearsed(postgres, "CREATE TABLE pets (id int)", undo="DROP TABLE dogs")
    assert revision.round_trip is not None
    assert revision.round_trip.error == '42P01: table "dogs" does not exist'
    assert revision.verdict is Verdict.NOT_REVERSIBLE


def test_a_way_back_that_breaks_the_old_version_is_not_reversible(
    postgres: EmbeddedPostgres,
) -> None:
    revision = rehearsed(
        postgres,
        "ALTER TABLE people ADD x int",
        undo="ALTER TABLE people DROP x; ALTER TABLE people RENAME note TO text",
        traffic=USES,
    )
    assert revision.statements[2].errors[0].undo
    assert revision.verdict is Verdict.LOSSY  # the worse of both


def test_a_lock_on_the_way_back_is_told_and_raises_nothing(postgres: EmbeddedPostgres) -> None:
    revision = rehearsed(
        postgres,
        "DROP INDEX CONCURRENTLY people_email",
        undo="CREATE INDEX people_email ON people (email)",
    )
    assert revision.statements[1].verdict is Verdict.UNSAFE_LOCK
    assert revision.verdict is Verdict.SAFE


def test_the_way_back_after_a_rewrite_is_judged_with_its_rows(postgres: EmbeddedPostgres) -> None:
    script = Script(
        "x",
        "CREATE TABLE o (id int PRIMARY KEY, n int)",
        "ALTER TABLE o ALTER COLUMN n TYPE bigint",
        undo="CREATE INDEX i ON o (n); DROP INDEX i; ALTER TABLE o ALTER COLUMN n TYPE int",
    )

    report = rehearse_script(script, Options(rows=200, live=False), server=postgres)

    back = [it.verdict for it in report.revisions[0].statements if it.undo]
    assert back[0] is Verdict.UNSAFE_LOCK
    assert back[2] is Verdict.UNSAFE_LOCK
