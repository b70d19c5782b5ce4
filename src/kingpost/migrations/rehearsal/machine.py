"""A rehearsal as data for programs, which `kingpost db rehearse --json` prints."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from kingpost.migrations.rehearsal.report import (
    Live,
    Report,
    Revision,
    RoundTrip,
    Statement,
    Wait,
)

_ORDER = ("equal", "equal but for the order of columns", "not reached", "different")


def as_json(report: Report) -> dict[str, Any]:
    """Makes a document of a report that `json.dumps` takes.

    With several revisions, `statements`, `invalid` and what else is a list holds that of all of
    them, each statement says which `revision` it is of, and `round_trip` is the worst one.

    | Key | What it is |
    |---|---|
    | `verdict` | the worst of all, such as `unsafe-lock` |
    | `accepted` | that it passes, or a person has answered for it in the revision |
    | `statements` | in the order in which they ran, those of the way back last (`"undo": true`) |
    | `statements[].locks` | `relation`, `mode` and what it `blocks` |
    | `statements[].errors` | of the traffic: `sqlstate`, `message`, `query`, `version`, … |
    | `invalid`, `unvalidated` | indexes left INVALID, constraints left NOT VALID |
    | `round_trip` | `schema`, `difference`, `lost` and `error`; null without a way back |
    | `assumptions` | what has to be true of the data in production |
    | `revisions` | name, phase, verdict and round trip of each |
    | `live` | of each revision that ran under traffic: `sent`, `failed`, `slowest_ms`, `waits` |
    | `live_back` | the same of the way back |
    | `server`, `rows`, `seconds`, `not_filled` | how it was rehearsed |

    Args:
        report: of the rehearsal.

    Returns:
        The document; times are milliseconds, but for `seconds`.
    """
    return {
        "verdict": str(report.verdict),
        "accepted": report.accepted,
        "statements": [
            _statement(statement, revision)
            for revision in report.revisions
            for statement in revision.statements
        ],
        "invalid": [name for revision in report.revisions for name in revision.invalid],
        "unvalidated": [name for revision in report.revisions for name in revision.unvalidated],
        "round_trip": _round_trip(_worst(it.round_trip for it in report.revisions)),
        "assumptions": [text for revision in report.revisions for text in revision.assumptions],
        "revisions": [_revision(revision) for revision in report.revisions],
        "live": {name: _live(live) for name, live in report.live.items()},
        "live_back": {name: _live(live) for name, live in report.back.items()},
        "server": report.server,
        "rows": report.rows,
        "seconds": round(report.seconds, 3),
        "not_filled": list(report.not_filled),
    }


def _statement(statement: Statement, revision: Revision) -> dict[str, Any]:
    milliseconds = ("waited_ms", "started_ms", "ended_ms", "estimated_ms")
    plain = _plain(statement) | {"verdict": str(statement.verdict), "revision": revision.name}
    rounded = {name: round(plain[name], 3) for name in milliseconds if plain[name] is not None}
    return plain | rounded


def _plain(seen: Statement | RoundTrip | Wait) -> dict[str, Any]:
    """With the lists that JSON has, in place of tuples."""
    return {name: _listed(value) for name, value in asdict(seen).items()}


def _listed(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_listed(item) for item in value]
    return value


def _worst(trips: Iterable[RoundTrip | None]) -> RoundTrip | None:
    tried = [trip for trip in trips if trip is not None]
    return max(
        tried,
        key=lambda trip: (trip.error is not None, _ORDER.index(trip.schema), len(trip.lost)),
        default=None,
    )


def _round_trip(trip: RoundTrip | None) -> dict[str, Any] | None:
    return None if trip is None else _plain(trip)


def _revision(revision: Revision) -> dict[str, Any]:
    return {
        "name": revision.name,
        "title": revision.title,
        "phase": revision.phase,
        "verdict": str(revision.verdict),
        "accepted": revision.accepted,
        "reason": revision.reason,
        "invalid": list(revision.invalid),
        "unvalidated": list(revision.unvalidated),
        "round_trip": _round_trip(revision.round_trip),
        "assumptions": list(revision.assumptions),
    }


def _live(live: Live) -> dict[str, Any]:
    return {
        "traffic": live.traffic,
        "service": live.service,
        "sent": live.sent,
        "failed": live.failed,
        "slowest_ms": round(live.slowest_ms, 3),
        "waits": [_plain(wait) for wait in live.waits],
    }
