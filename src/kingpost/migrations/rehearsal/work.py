"""The work of a statement that grows with the tables of its database."""

from collections.abc import Iterable
from dataclasses import dataclass

from kingpost.migrations.rehearsal.observing import Step, first_word
from kingpost.migrations.rehearsal.snapshots import Counts, Index, Known, State, World
from kingpost.migrations.rehearsal.wording import counted, grouped

_FEW = 100  # rows; a statement that touches less of them is not told from one that touches one


@dataclass(frozen=True, slots=True)
class Work:
    """What a statement did.

    Args:
        told: all that grows with a table, as the predicate of a sentence; empty if there is none.
        moved: what of it puts the rows of a table or an index into new storage.
        mass: the rows of one table that it changed, if those are at least half of it.
        lost: tables whose rows it threw away.
        scanned: rows read by sequential scans of tables that existed before.
        changed: rows inserted, updated and deleted in them.
        rewritten: tables and indexes with new storage.
    """

    told: str = ""
    moved: str = ""
    mass: str = ""
    lost: str = ""
    scanned: int = 0
    changed: int = 0
    rewritten: tuple[str, ...] = ()

    @property
    def does(self) -> bool:
        """Whether there is any that grows with a table."""
        return bool(self.told)


def work_of(step: Step, known: World) -> Work:
    """Compares what was before a statement with what was after it.

    Args:
        step: the statement.
        known: what existed before the change.

    Returns:
        Its work.
    """
    if step.after is None:
        return Work()
    counts = _counts(step.before, step.after)
    tables = known.having("rm")
    renewed = _renewed(step.before, step.after, known)
    built = _built(step.before, step.after, known)
    replaced = [it for it in built if it.name in _names(step.before, it.table)]
    truncates = first_word(step.sql) == "truncate"
    moved = _rewrites([it for it in renewed if it.rows], truncates)
    rewritten = {it.oid for it in renewed}
    told = [
        *moved,
        *_builds([it for it in built if it.table not in rewritten], known),
        *_changes(tables, counts),
        *_reads(tables, counts, {it.table for it in renewed} | {it.table for it in built}),
    ]
    return Work(
        told=" and ".join(told),
        moved=" and ".join(moved),
        mass=" and ".join(_mass(tables, counts)),
        lost=", ".join(it.name for it in renewed if it.rows and truncates and it.kind == "r"),
        scanned=sum(counts[it.oid].scanned for it in tables if it.oid in counts),
        changed=sum(_changed(counts[it.oid]) for it in tables if it.oid in counts),
        rewritten=tuple(it.name for it in renewed) + tuple(_shown(it, known) for it in replaced),
    )


def _counts(before: State, after: State) -> dict[int, Counts]:
    return {
        oid: counts.since(before.counts.get(oid, Counts())) for oid, counts in after.counts.items()
    }


def _renewed(before: State, after: State, known: World) -> list[Known]:
    """What has other storage than before, tables before indexes."""
    changed = [
        known.relations[oid]
        for oid, (file, _) in after.files.items()
        if file and oid in before.files and before.files[oid][0] not in {0, file}
    ]
    return sorted(changed, key=lambda it: (it.kind == "i", it.name))


def _built(before: State, after: State, known: World) -> list[Index]:
    """New indexes with new storage; ALTER TYPE may hand on the one of the old index."""
    storage = {index.file for index in before.indexes.values()}
    return [
        index
        for oid, index in sorted(after.indexes.items())
        if oid not in before.indexes
        and index.file not in storage
        and index.table in known.relations
    ]


def _names(state: State, table: int) -> set[str]:
    return {index.name for index in state.indexes.values() if index.table == table}


def _shown(index: Index, known: World) -> str:
    schema, dot, _ = known.relations[index.table].name.rpartition(".")
    return f"{schema}{dot}{index.name}"


def _rewrites(renewed: list[Known], truncates: bool) -> list[str]:
    tables = [it for it in renewed if it.kind != "i"]
    rows = [f"{it.name}, {counted(it.rows, 'row')}" for it in tables]
    if truncates and tables:
        return [f"throws away all of {'; '.join(rows)}"]
    of_these = {it.oid for it in tables}
    indexes = [it for it in renewed if it.kind == "i" and it.table not in of_these]
    told = [f"rewrites {'; '.join(rows)}"] if tables else []
    if indexes:
        names = ", ".join(it.name for it in indexes)
        told.append(f"rebuilds {names} over {counted(indexes[0].rows, 'row')}")
    return told


def _builds(built: list[Index], known: World) -> list[str]:
    return [
        f"builds {_shown(it, known)} over {counted(known.relations[it.table].rows, 'row')} "
        f"of {known.relations[it.table].name}"
        for it in built
        if known.relations[it.table].rows
    ]


def _changes(tables: Iterable[Known], counts: dict[int, Counts]) -> list[str]:
    """Rows that are many and a good part of a table; a handful is none that grows."""
    largest = max((it.rows for it in tables), default=0)
    told = []
    for it in tables:
        seen = counts.get(it.oid, Counts())
        changed = seen.updated + seen.deleted
        grows = it.rows and changed >= _FEW and changed * 4 >= it.rows
        if grows or (seen.inserted >= _FEW and seen.inserted * 4 >= largest > 0):
            told.append(f"changes {counted(_changed(seen), 'row')} of {it.name}")
    return told


def _reads(tables: Iterable[Known], counts: dict[int, Counts], told_of: set[int]) -> list[str]:
    """A scan reads all rows of a table; looking one up, or whether there is any, does not."""
    told = []
    for it in tables:
        seen = counts.get(it.oid, Counts())
        scans = seen.scanned and seen.scanned * 10 >= it.rows
        fetches = seen.fetched >= _FEW and seen.fetched * 4 >= it.rows
        if it.rows and (scans or fetches) and it.oid not in told_of:
            read = max(seen.scanned, seen.fetched)
            all_of = f"all {grouped(read)} rows" if read == it.rows else counted(read, "row")
            told.append(f"reads {all_of} of {it.name}")
    return told


def _mass(tables: Iterable[Known], counts: dict[int, Counts]) -> list[str]:
    told = []
    for it in tables:
        seen = counts.get(it.oid, Counts())
        changed = seen.updated + seen.deleted
        if it.rows and changed >= _FEW and changed * 2 >= it.rows:
            told.append(f"changes {counted(changed, 'row')} of {it.name}")
    return told


def _changed(counts: Counts) -> int:
    return counts.inserted + counts.updated + counts.deleted
