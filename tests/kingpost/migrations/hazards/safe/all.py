"""All changes that are safe, or lock nothing for longer than a moment."""

from tests.kingpost.migrations.hazards.case import Case
from tests.kingpost.migrations.hazards.safe import (
    columns,
    constraints,
    indexes,
    relations,
    rows,
    types,
)

SUBJECTS: tuple[tuple[Case, ...], ...] = (
    indexes.CASES,
    columns.CASES,
    constraints.CASES,
    types.CASES,
    relations.CASES,
    rows.CASES,
)
SAFE_CHANGES: tuple[Case, ...] = tuple(case for cases in SUBJECTS for case in cases)
