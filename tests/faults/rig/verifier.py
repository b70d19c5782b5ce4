"""One function for each invariant; each names the operations or moments that break it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise

from tests.faults.rig.journal import Operation, Probe, Run

CHANGES = ("create", "rename", "delete")


def nothing_acknowledged_is_lost(run: Run) -> Iterator[str]:
    """I1: what was acknowledged is in the audit and in its table, or was deleted later."""
    written = _traces(run)
    for one in _of(run, *CHANGES):
        traces = written[_trace(one)]
        if one.outcome == "ok" and not traces:
            yield f"acknowledged and lost: {one}"
        if one.outcome == "ok" and one.kind == "create" and one.id not in _alive_or_deleted(run):
            yield f"acknowledged and gone without a delete: {one}"
        if one.outcome == "ok" and one.kind == "delete" and one.id in run.found.rows[one.table]:
            yield f"deleted and still there: {one}"
    for one in _of(run, "read"):
        if one.status == 404:
            yield f"a row that was acknowledged is not found: {one}"


def a_key_acts_once(run: Run) -> Iterator[str]:
    """I2: one row and one audit row at most for each key."""
    written = _traces(run)
    for token in {_trace(one): one for one in _of(run, *CHANGES) if one.key}.values():
        if written[_trace(token)] > 1:
            yield f"{written[_trace(token)]} changes for one key: {token}"


def the_audit_is_the_changes(run: Run) -> Iterator[str]:
    """I3: each version of each row has its audit row, and no audit row stands alone."""
    actions: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for entity, row, action, _ in run.found.audit:
        actions[entity, row][action] += 1
    for table, rows in run.found.rows.items():
        for row, (token, version) in rows.items():
            if actions[table, row] != Counter(create=1, update=version - 1) + Counter():
                yield f"{table} {row} ({token}), version {version}: {dict(actions[table, row])}"
    for (entity, row), found in actions.items():
        gone = entity in run.found.rows and row not in run.found.rows[entity]
        if gone and (found["create"], found["delete"]) != (1, 1):
            yield f"{entity} {row} is not there, and the audit says {dict(found)}"


def errors_are_503_and_say_when(run: Run) -> Iterator[str]:
    """I4: no 5xx but 503, with Retry-After, as problem details."""
    for one in run.operations:
        if one.status >= 500 and not (one.status == 503 and one.retry_after and one.is_problem):
            yield f"not a proper 503: {one}"


def doubt_is_settled(run: Run) -> Iterator[str]:
    """I5: 0 or 1 change where nobody knows, none after a plain no, exactly 1 for a retried key."""
    written = _traces(run)
    for trace, tries in _by_trace(run).items():
        outcomes = {one.outcome for one in tries}
        if outcomes == {"fail"} and written[trace]:
            yield f"refused and done all the same: {tries[-1]}"
        elif "ok" not in outcomes and written[trace] > 1:
            yield f"done {written[trace]} times: {tries[-1]}"
        elif "ok" in outcomes and written[trace] != 1:
            yield f"acknowledged and done {written[trace]} times: {tries[-1]}"
        if tries[-1].key and "ok" not in outcomes and tries[-1].outcome == "info":
            yield f"the key was retried without a definite end: {tries[-1]}"


def it_recovers_by_itself(run: Run) -> Iterator[str]:
    """I6: reads and writes succeed soon after the fault is over, without a restart by hand."""
    if run.restarts:
        yield f"the service was started again by hand {run.restarts} times"
    for name, kinds in (("write", CHANGES), ("read", ("read", "list"))):
        seconds = recovery(run, *kinds)
        if seconds is None:
            yield f"no {name} succeeded after the fault was over"
        elif seconds > run.limits.recovery_seconds:
            yield f"the first {name} came {seconds:.1f} s after the fault was over"


def recovery(run: Run, *kinds: str) -> float | None:
    """Seconds from heal to the first success that was asked for after it."""
    later = [one for one in _of(run, *kinds) if one.outcome == "ok" and one.invoked >= run.healed]
    return min(one.completed for one in later) - run.healed if later else None


def nothing_leaks(run: Run) -> Iterator[str]:
    """I7: memory is bounded; descriptors and sessions come back to where they were."""
    before, after, limits = run.before, run.after, run.limits
    if before is None or after is None:
        yield "resources were not measured"
        return
    if after.rss > limits.rss_bytes:
        yield f"{after.rss} bytes of memory, more than {limits.rss_bytes}"
    if after.descriptors > before.descriptors + limits.more_descriptors:
        yield f"{after.descriptors} open files, {before.descriptors} before"
    if after.sessions > limits.sessions:
        yield f"{after.sessions} sessions of the service, more than {limits.sessions}"
    if after.idle_in_transaction:
        yield f"{after.idle_in_transaction} sessions idle in a transaction"


def probes_tell_the_truth(run: Run) -> Iterator[str]:
    """I8: /livez is always 200; /readyz is what the database is, within its time.

    One "not ready" by itself is none: the machine may have stood still for the second that a
    check has, and balancers ask three times before they believe it.
    """
    if not run.probes:
        yield "nobody has asked the probes"
    for probe in run.probes:
        if probe.path == "/livez" and probe.status != 200:
            yield f"/livez was {probe.status} at {probe.at:.1f}"
    ready = [probe for probe in run.probes if probe.path == "/readyz"]
    for probe, following in pairwise(ready):
        yield from _wrongly_ready(run, probe)
        if following.status != 200:
            yield from _wrongly_not_ready(run, probe)


def _wrongly_ready(run: Run, probe: Probe) -> Iterator[str]:
    late, again = run.limits.ready_seconds, run.limits.ready_again_seconds
    down = any(start + late < probe.at and probe.answered < end for start, end in run.outages)
    if down and probe.status == 200 and not _within(probe, run.doubtful, again):
        yield f"/readyz was 200 at {probe.at:.1f} while the database was down"


def _wrongly_not_ready(run: Run, probe: Probe) -> Iterator[str]:
    explained = [*run.outages, *run.doubtful]
    if probe.status != 200 and not _within(probe, explained, run.limits.ready_again_seconds):
        after = f"{probe.at - run.healed:.1f} s after the fault was over"
        yield f"/readyz was {probe.status} {after} while the database was up: {probe.why}"


def answers_come_in_time(run: Run) -> Iterator[str]:
    """I9: 99 of 100 answers by the deadline, and none hangs."""
    taken = sorted(one.completed - one.invoked for one in run.operations if one.status)
    if taken and taken[int(len(taken) * 0.99)] > run.limits.answer_seconds:
        yield f"the 99th percentile of answers is {taken[int(len(taken) * 0.99)]:.2f} s"
    for one in run.operations:
        if one.completed - one.invoked > run.limits.hang_seconds:
            yield f"hung for {one.completed - one.invoked:.1f} s: {one}"


def logs_keep_secrets(run: Run) -> Iterator[str]:
    """I10: no secret is in a log."""
    for secret in run.secrets:
        line = next((line for line in run.log.splitlines() if secret in line), None)
        if line is not None:
            yield f"a secret is in the log: {line.replace(secret, '***')[:200]}"


INVARIANTS: dict[str, Callable[[Run], Iterator[str]]] = {
    "I1": nothing_acknowledged_is_lost,
    "I2": a_key_acts_once,
    "I3": the_audit_is_the_changes,
    "I4": errors_are_503_and_say_when,
    "I5": doubt_is_settled,
    "I6": it_recovers_by_itself,
    "I7": nothing_leaks,
    "I8": probes_tell_the_truth,
    "I9": answers_come_in_time,
    "I10": logs_keep_secrets,
}


def broken(run: Run) -> dict[str, list[str]]:
    """The invariants that do not hold, and what breaks them, ten examples of each."""
    found = {name: list(check(run)) for name, check in INVARIANTS.items()}
    return {name: lines[:10] for name, lines in found.items() if lines}


def _of(run: Run, *kinds: str) -> list[Operation]:
    return [one for one in run.operations if one.kind in kinds]


def _trace(one: Operation) -> str:
    return f"delete {one.id}" if one.kind == "delete" else one.token


def _by_trace(run: Run) -> dict[str, list[Operation]]:
    tries: dict[str, list[Operation]] = defaultdict(list)
    for one in _of(run, *CHANGES):
        tries[_trace(one)].append(one)
    return tries


def _traces(run: Run) -> Counter[str]:
    """How often each change is in the audit: by the token it wrote, or the row it deleted."""
    wanted = {one.token for one in _of(run, "create", "rename")}
    found: Counter[str] = Counter()
    for _, row, action, written in run.found.audit:
        if action == "delete":
            found[f"delete {row}"] += 1
        elif written in wanted:
            found[written] += 1
    return found


def _alive_or_deleted(run: Run) -> set[str]:
    alive = {row for rows in run.found.rows.values() for row in rows}
    return alive | {row for _, row, action, _ in run.found.audit if action == "delete"}


def _within(probe: Probe, spans: list[tuple[float, float]], late: float) -> bool:
    """Whether it was asked in one of these times, or before it and answered in it."""
    return any(start <= probe.answered and probe.at <= end + late for start, end in spans)
