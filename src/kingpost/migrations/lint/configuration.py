"""Which of squawk's rules are followed, and which are not, with the reason."""

import re
from dataclasses import dataclass, replace

from kingpost.migrations.lint.findings import SquawkFinding

PG_VERSION = "16.0"
"""The oldest PostgreSQL that is supported; what is safe there is safe on newer ones."""

EXCLUDED = {
    "prefer-robust-stmts": "asks for IF NOT EXISTS, which takes an INVALID index for a good one; "
    "a revision is a transaction, and online operations look into the catalog",
    "require-timeout-settings": "the runner sets the timeouts",
    "require-lock-timeout": "the runner sets lock_timeout",
    "require-statement-timeout": "the runner sets statement_timeout",
    "prefer-bigint-over-int": "taste: stops nobody",
    "prefer-bigint-over-smallint": "taste: stops nobody",
    "prefer-text-field": "taste: a varchar costs nothing, and widening it writes no row",
    "prefer-timestamp-tz": "taste: stops nobody",
    "ban-char-field": "taste: stops nobody",
    "require-enum-value-ordering": "taste: a value may be the last one",
    "ban-drop-not-null": "takes a moment, and the running version writes what it has written",
    "ban-drop-constraint": "takes a moment, and forbids the running version nothing",
    "ban-create-domain-with-constraint": "no table has a domain that is new",
}
"""Rules that squawk is not asked for."""

INCLUDED = ("ban-alter-generated-expression", "ban-new-write-restriction")
"""Opt-in rules that find something, once they are narrowed."""

COMPATIBILITY = frozenset(
    {
        "adding-required-field",
        "ban-drop-column",
        "ban-drop-default",
        "ban-drop-domain",
        "ban-drop-extension",
        "ban-drop-function",
        "ban-drop-generated-expression",
        "ban-drop-schema",
        "ban-drop-sequence",
        "ban-drop-table",
        "ban-drop-type",
        "ban-drop-view",
        "ban-alter-identity",
        "ban-set-schema",
        "renaming-column",
        "renaming-object",
        "renaming-table",
    }
)
"""Rules about what the running version needs, which is what the contract phase takes away."""

RULES = COMPATIBILITY | {
    "adding-field-with-default",
    "adding-foreign-key-constraint",
    "adding-not-nullable-field",
    "adding-serial-primary-key-field",
    "ban-alter-domain-with-add-constraint",
    "ban-alter-generated-expression",
    "ban-concurrent-index-creation-in-transaction",
    "ban-drop-database",
    "ban-new-write-restriction",
    "ban-truncate-cascade",
    "ban-uncommitted-transaction",
    "changing-column-type",
    "constraint-missing-not-valid",
    "disallowed-unique-constraint",
    "identifier-too-long",
    "prefer-identity",
    "require-concurrent-index-creation",
    "require-concurrent-index-deletion",
    "require-concurrent-partition-detach",
    "require-concurrent-reindex",
    "syntax-error",
    "transaction-nesting",
}
"""Rules that a finding can have."""


@dataclass(frozen=True, slots=True)
class Distinction:
    """What squawk says too much, or says of something else than it means.

    Args:
        rule: of squawk.
        span: what the marked part of the SQL looks like, as a pattern.
        reason: why nothing is wrong with it; of a narrowed rule, what is wrong with the rest.
        statement: what the statement looks like, as a pattern.
    """

    rule: str
    span: str
    reason: str
    statement: str = ""

    def fits(self, finding: SquawkFinding) -> bool:
        """Whether a finding is of this kind."""
        flags = re.IGNORECASE | re.DOTALL
        return (
            finding.rule == self.rule
            and re.search(self.span, finding.span, flags) is not None
            and re.search(self.statement, finding.sql, flags) is not None
        )


DISMISSED = (
    Distinction(
        "adding-field-with-default",
        r"\bVIRTUAL$",
        "a virtual column is computed when it is read: no row is written",
    ),
    Distinction(
        "adding-foreign-key-constraint", r"\bNOT ENFORCED$", "what is not enforced is not checked"
    ),
    Distinction(
        "constraint-missing-not-valid", r"\bNOT ENFORCED$", "what is not enforced is not checked"
    ),
    Distinction(
        "adding-foreign-key-constraint",
        r"^(CONSTRAINT \S+ )?REFERENCES\b",
        "in a column that is NULL everywhere PostgreSQL has nothing to look for",
        r"^(?!.*\bDEFAULT\b)ALTER TABLE\b",
    ),
    Distinction(
        "constraint-missing-not-valid",
        r"\b(UNIQUE|PRIMARY KEY|FOREIGN KEY)\b",
        "a rule of its own says so already; and what has an index is never NOT VALID",
    ),
    Distinction(
        "ban-alter-domain-with-add-constraint",
        r"\bNOT VALID$",
        "no table is read, and new values are the running version's own",
    ),
    Distinction(
        "adding-field-with-default",
        r"\b(current_\w+|session_user|user|localtime|localtimestamp)$",
        "the same in all rows, since it is computed once",
    ),
    Distinction(
        "require-concurrent-index-creation",
        "",
        "an index of the parent alone has no rows to read",
        r"\bON ONLY\b",
    ),
    Distinction("ban-alter-identity", r"^ADD\b", "rows that exist keep their numbers"),
    Distinction("renaming-object", "", "no statement names an index", r"^ALTER INDEX\b"),
)
"""Findings that are none."""

NARROWED = (
    Distinction(
        "prefer-identity",
        "",
        "A serial column writes the whole table and its indexes anew under an `ACCESS EXCLUSIVE` "
        "lock, since every row gets a number.",
        r"^ALTER TABLE\b.*\bADD\b",
    ),
    Distinction(
        "ban-new-write-restriction",
        r"^(CONSTRAINT \S+ )?CHECK\b",
        "A new column with a `CHECK` has all rows read under an `ACCESS EXCLUSIVE` lock, though "
        "it is NULL in each of them.",
    ),
    Distinction(
        "ban-alter-generated-expression",
        r"^SET EXPRESSION\b",
        "Another expression writes the whole table anew under an `ACCESS EXCLUSIVE` lock, if the "
        "column is stored.",
    ),
)
"""Rules that stand for a danger in one form only; their reason takes the place of the message."""


def judged(finding: SquawkFinding) -> SquawkFinding | None:
    """Applies the configuration to what squawk said.

    Args:
        finding: of squawk.

    Returns:
        The finding, with a message that fits; None if nothing is wrong.
    """
    if any(dismissed.fits(finding) for dismissed in DISMISSED):
        return None
    narrowed = [it for it in NARROWED if it.rule == finding.rule]
    if not narrowed:
        return finding
    fitting = [it for it in narrowed if it.fits(finding)]
    return replace(finding, message=fitting[0].reason, help="") if fitting else None
