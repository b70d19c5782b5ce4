"""Each invariant is seen to fail: forged evidence, with one thing wrong."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.faults.rig.journal import Found, Limits, Operation, Outcome, Probe, Resources, Run
from tests.faults.rig.verifier import broken

IDLE = Resources(rss=100, descriptors=10, sessions=5, idle_in_transaction=0)


def operation(
    kind: str, token: str, outcome: Outcome = "ok", status: int = 200, **more: object
) -> Operation:
    one = Operation(1, kind, "posts", token, invoked=11.0, completed=11.1, retry_after=True)
    one.is_problem, one.outcome, one.status = True, outcome, status
    for name, value in more.items():
        setattr(one, name, value)
    return one


def kept() -> Run:
    """A run in which everything held: a post made, renamed, read; one deleted; one in doubt."""
    run = Run(Limits(answer_seconds=1, hang_seconds=2, rss_bytes=1000, sessions=10))
    run.operations = [
        operation("create", "a", status=201, id="1"),
        operation("rename", "b", id="1"),
        operation("create", "c", status=201, id="2"),
        operation("delete", "d", status=204, id="2"),
        operation("create", "e", "info", 503, key="k"),
        operation("create", "e", status=201, id="3", key="k"),
        operation("create", "f", "fail", 503),
        operation("read", "g", id="1"),
    ]
    run.found = Found(
        {"posts": {"1": ("b", 2), "3": ("e", 1)}, "users": {}},
        [
            ("posts", "1", "create", "a"),
            ("posts", "1", "update", "b"),
            ("posts", "2", "create", "c"),
            ("posts", "2", "delete", "c"),
            ("posts", "3", "create", "e"),
        ],
    )
    run.probes = [
        Probe(1, "/livez", 200, 1),
        Probe(8, "/readyz", 503, 8),
        Probe(20, "/readyz", 200, 20),
    ]
    run.outages, run.healed = [(5.0, 10.0)], 10.0
    run.before = run.after = IDLE
    run.secrets, run.log = ("canary",), "a quiet log"
    return run


def test_a_run_in_which_everything_held_breaks_nothing() -> None:
    assert broken(kept()) == {}


def test_a_single_probe_that_was_not_answered_in_time_breaks_nothing() -> None:
    run = kept()
    run.probes += [Probe(20, "/readyz", 503, 21), Probe(22, "/readyz", 200, 22)]

    assert broken(run) == {}


def lose_the_row(run: Run) -> None:
    del run.found.rows["posts"]["1"]


def lose_the_change(run: Run) -> None:
    run.found.audit.remove(("posts", "1", "update", "b"))


def keep_a_deleted_row(run: Run) -> None:
    run.found.rows["posts"]["2"] = ("c", 1)


def lose_what_is_read(run: Run) -> None:
    run.operations.append(operation("read", "h", "fail", 404, id="1"))


def act_twice(run: Run) -> None:
    run.found.rows["posts"]["4"] = ("e", 1)
    run.found.audit.append(("posts", "4", "create", "e"))


def change_without_audit(run: Run) -> None:
    run.found.rows["posts"]["1"] = ("b", 3)


def audit_without_change(run: Run) -> None:
    run.found.audit.append(("posts", "9", "create", "z"))


def crash(run: Run) -> None:
    run.operations.append(operation("list", "h", "info", 500))


def refuse_without_retry_after(run: Run) -> None:
    run.operations.append(operation("list", "h", "fail", 503, retry_after=False))


def refuse_without_a_problem(run: Run) -> None:
    run.operations.append(operation("list", "h", "fail", 503, is_problem=False))


def do_what_was_refused(run: Run) -> None:
    run.found.rows["posts"]["5"] = ("f", 1)
    run.found.audit.append(("posts", "5", "create", "f"))


def leave_a_key_in_doubt(run: Run) -> None:
    run.operations.append(operation("create", "i", "info", 503, key="l"))


def restart(run: Run) -> None:
    run.restarts = 1


def recover_late(run: Run) -> None:
    run.healed = 1.0


def never_recover(run: Run) -> None:
    run.healed = 50.0


def leak_memory(run: Run) -> None:
    run.after = replace(IDLE, rss=2000)


def leak_descriptors(run: Run) -> None:
    run.after = replace(IDLE, descriptors=100)


def leak_sessions(run: Run) -> None:
    run.after = replace(IDLE, sessions=11)


def leave_a_transaction(run: Run) -> None:
    run.after = replace(IDLE, idle_in_transaction=1)


def measure_nothing(run: Run) -> None:
    run.after = None


def die(run: Run) -> None:
    run.probes.append(Probe(8, "/livez", 0, 8))


def claim_to_be_ready(run: Run) -> None:
    run.probes.insert(2, Probe(8, "/readyz", 200, 8))


def claim_not_to_be_ready(run: Run) -> None:
    run.probes += [Probe(20, "/readyz", 503, 20), Probe(21, "/readyz", 503, 21)]


def ask_no_probe(run: Run) -> None:
    run.probes.clear()


def answer_late(run: Run) -> None:
    run.operations[0].completed = run.operations[0].invoked + 1.5


def hang(run: Run) -> None:
    run.operations.append(operation("list", "h", "info", 0, completed=20.0))


def tell_a_secret(run: Run) -> None:
    run.log = "it is the canary"


FORGERIES: list[tuple[str, Callable[[Run], None]]] = [
    ("I1", lose_the_row),
    ("I1", lose_the_change),
    ("I1", keep_a_deleted_row),
    ("I1", lose_what_is_read),
    ("I2", act_twice),
    ("I3", change_without_audit),
    ("I3", audit_without_change),
    ("I4", crash),
    ("I4", refuse_without_retry_after),
    ("I4", refuse_without_a_problem),
    ("I5", do_what_was_refused),
    ("I5", act_twice),
    ("I5", leave_a_key_in_doubt),
    ("I6", restart),
    ("I6", recover_late),
    ("I6", never_recover),
    ("I7", leak_memory),
    ("I7", leak_descriptors),
    ("I7", leak_sessions),
    ("I7", leave_a_transaction),
    ("I7", measure_nothing),
    ("I8", die),
    ("I8", claim_to_be_ready),
    ("I8", claim_not_to_be_ready),
    ("I8", ask_no_probe),
    ("I9", answer_late),
    ("I9", hang),
    ("I10", tell_a_secret),
]


@pytest.mark.parametrize(
    ("invariant", "forge"), FORGERIES, ids=[f"{name}-{f.__name__}" for name, f in FORGERIES]
)
def test_an_invariant_that_is_broken_is_reported(
    invariant: str, forge: Callable[[Run], None]
) -> None:
    run = kept()
    forge(run)

    assert invariant in broken(run)
    assert all("canary" not in line for lines in broken(run).values() for line in lines)


def test_a_probe_that_was_asked_before_a_fault_and_answered_in_it_is_true() -> None:
    run = kept()
    began, _ = run.outages[0]
    asked = Probe(began - 0.1, "/readyz", 503, began + 0.9)
    run.probes = [asked, Probe(began + 1, "/readyz", 503, began + 2), *run.probes]

    assert "I8" not in broken(run)
