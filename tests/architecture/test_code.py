"""Every rule about the code holds, and sees who breaks it."""

import pytest
from tests.architecture.rules import RULES
from tests.architecture.source import Rule, Source, source, sources

CASES = [(rule, snippet) for rule in RULES for snippet in rule.bad]
HARMLESS = [(rule, snippet) for rule in RULES for snippet in rule.good]


def named(value: object) -> str:
    return value.name if isinstance(value, Rule) else ""


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_the_source_obeys_the_rule(rule: Rule) -> None:
    files = [file for file in sources() if rule.applies_to(file.path)]
    broken = [line for file in files for line in rule.broken_in(file)]

    assert not broken, "\n".join(broken)


@pytest.mark.parametrize(("rule", "snippet"), CASES, ids=named)
def test_the_rule_sees_who_breaks_it(rule: Rule, snippet: str) -> None:
    assert list(rule.broken_in(example(snippet)))


@pytest.mark.parametrize(("rule", "snippet"), HARMLESS, ids=named)
def test_the_rule_leaves_the_others_alone(rule: Rule, snippet: str) -> None:
    assert not list(rule.broken_in(example(snippet)))


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_an_exception_from_the_rule_is_needed(rule: Rule) -> None:
    needed = [file.path for file in sources() if any(rule.broken_in(file))]

    assert [e for e in rule.except_in if not any(path.startswith(e) for path in needed)] == []


def example(snippet: str) -> Source:
    return source("app/example.py", snippet)
