"""Findings that a person answers for: `# kingpost: allow RULE: REASON`."""

import io
import re
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kingpost.migrations.lint import certain, configuration
from kingpost.migrations.lint.places import Place

NEEDS_DATABASE = "needs-database"
KNOWN = configuration.RULES | certain.RULES.keys() | {NEEDS_DATABASE}
"""All rules that can be allowed."""

_COMMENT = re.compile(r"#\s*kingpost:\s*allow\b\s*(?P<rule>[\w-]*)\s*(?::\s*(?P<reason>.*))?")
_FORM = "# kingpost: allow RULE: REASON"


@dataclass(slots=True)
class Suppression:
    """A comment that allows something.

    Args:
        line: of the comment, from 1.
        target: the line of code that it is about.
        rule: what it allows.
        reason: why; empty if it says nothing.
        used: whether it has allowed anything.
    """

    line: int
    target: int
    rule: str
    reason: str
    used: bool = False

    def covers(self, rule: str, places: Sequence[Place]) -> bool:
        """Whether it is about a finding.

        Args:
            rule: of the finding.
            places: the calls that have led to it.

        Returns:
            True if it names that rule and stands at one of these calls.
        """
        at = any(place.first <= self.target <= place.last for place in places)
        return at and rule == self.rule

    def mistake(self) -> tuple[str, str] | None:
        """What is wrong with the comment itself.

        Returns:
            A rule and a message, or None.
        """
        if not self.rule:
            return "suppression-without-rule", f"Say what is allowed: `{_FORM}`."
        if not self.used and self.rule not in KNOWN:
            known = ", ".join(sorted(KNOWN))
            return "suppression-of-unknown-rule", f"There is no rule `{self.rule}`, but {known}."
        if not self.used:
            message = f"Nothing here is `{self.rule}`: delete the comment."
            return "suppression-unused", message
        if not self.reason:
            return "suppression-without-reason", f"Say why that is no danger here: `{_FORM}`."
        return None


def suppressions(source: str) -> list[Suppression]:
    """Reads the comments of a revision.

    Args:
        source: the text of its file.

    Returns:
        Those that allow something, in order.
    """
    found = []
    code = _lines_of_code(source)
    for line, comment in _comments(source):
        if (match := _COMMENT.match(comment)) is not None:
            target = min((at for at in code if at >= line), default=line)
            reason = (match["reason"] or "").strip()
            found.append(Suppression(line, target, match["rule"], reason))
    return found


def _comments(source: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def _lines_of_code(source: str) -> set[int]:
    nothing = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0] for token in tokens if token.type not in nothing and token.string}
