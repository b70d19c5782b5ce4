"""The table of the long form."""

from tests.faults.conftest import PAGE
from tests.faults.histories import History
from tests.faults.rig.journal import Limits, Operation, Resources, Run
from tests.faults.rig.report import END, HEAD, START, Row, row_of, row_of_history, table, written


def seen(status: int, begin: float, end: float, **more: object) -> Operation:
    one = Operation(1, "create", "posts", f"t{begin}", begin, completed=end, status=status)
    one.outcome = "ok" if status == 201 else "fail"
    for name, value in more.items():
        setattr(one, name, value)
    return one


def test_a_row_counts_what_became_of_the_requests() -> None:
    run = Run(Limits(answer_seconds=1, hang_seconds=2), healed=10.0)
    run.operations = [seen(201, 1, 1.5), seen(503, 2, 4.5), seen(0, 3, 3.1), seen(201, 10.5, 12)]
    run.operations.append(seen(200, 11, 11.2, kind="read", outcome="ok"))
    run.found.audit = [("posts", "1", "create", "t1"), ("posts", "2", "create", "t1")]
    run.before, run.after = Resources(90_000_000, 30, 12, 0), Resources(95_000_000, 31, 14, 0)

    row = dict(zip(HEAD, row_of("a fault", "psycopg", run), strict=True))

    assert (row["requests"], row["answered"], row["503"]) == ("5", "4", "1")
    assert (row["longest answer, s"], row["normal again after, s"]) == ("2.5", "2.0")
    assert row["lost"] == "3"  # one is not in the audit, and neither row is there
    assert (row["memory, MB"], row["sessions"]) == ("90 → 95", "12 → 14")


def test_a_row_about_a_history_counts_what_is_missing_and_what_is_there_twice() -> None:
    history = History()
    for outcome, value in (("ok", "a"), ("fail", "b"), ("info", "c"), ("ok", "d")):
        with history.operation(1, "add", value) as one:
            one.outcome, one.result = outcome, "id of a"
    wrong = ["lost: a", "missed: a", "twice in one read: d", "refused, yet there: b"]

    row = dict(zip(HEAD, row_of_history("a fault", "asyncpg", list(history), wrong), strict=True))

    assert (row["requests"], row["answered"], row["503"]) == ("4", "3", "—")
    assert (row["lost"], row["doubled"], row["normal again after, s"]) == ("2", "1", "—")


def test_the_table_keeps_the_rows_of_other_runs() -> None:
    page = f"Before.\n{START}\nold\n{END}\nAfter.\n"
    first = written(page, [filled("a", "1"), filled("b", "2")], "Made so.")

    second = written(first, [filled("b", "3")], "Made anew.")

    shown = table([filled("a", "1"), filled("b", "3")])
    assert second == f"Before.\n{START}\n{shown}\n\nMade anew.\n{END}\nAfter.\n"


def filled(fault: str, number: str) -> Row:
    return (fault, "asyncpg", *[number] * (len(HEAD) - 2))


def test_nothing_is_lost_or_doubled_in_the_table_of_the_documents() -> None:
    shown = PAGE.read_text().partition(START)[2].partition(END)[0].strip()
    rows = [line.strip("| ").split(" | ") for line in shown.splitlines() if line.startswith("| ")]

    assert rows[0] == list(HEAD)
    ends = {(row[HEAD.index("lost")], row[HEAD.index("doubled")]) for row in rows[2:]}
    assert ends <= {("0", "0")}
