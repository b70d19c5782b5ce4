"""All hazards, by number, and then those that have none."""

from tests.kingpost.migrations.hazards.case import Case
from tests.kingpost.migrations.hazards.cases import (
    beyond,
    bulk,
    columns,
    constraints,
    drops_and_renames,
    enums_and_partitions,
    indexes,
    triggers_and_policies,
    types,
)

HAZARDS: tuple[Case, ...] = (
    *indexes.CASES,
    *columns.CASES,
    *constraints.CASES,
    *types.CASES,
    *drops_and_renames.CASES,
    *enums_and_partitions.CASES,
    *bulk.CASES,
    *triggers_and_policies.CASES,
    *beyond.CASES,
)
