"""docs/command-line.md has the commands that there are."""

import argparse
import re

from tests.architecture.source import ROOT

from kingpost.cli.main import _parser

PAGE = (ROOT / "docs/command-line.md").read_text()
LISTED = re.findall(r"^\| `kingpost ([^`]+)` \|", PAGE, re.MULTILINE)


def commands(parser: argparse.ArgumentParser, before: str = "") -> list[str]:
    """The commands below a parser: `db url`, `routes`."""
    groups = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    below = [(name, child) for group in groups for name, child in group.choices.items()]
    if not below:
        return [before.strip()]
    return [line for name, child in below for line in commands(child, f"{before} {name}")]


def test_every_command_has_its_row() -> None:
    rows = [" ".join(re.findall(r"^[a-z]+(?: [a-z]+)?", row)) for row in LISTED]

    assert sorted(rows) == sorted(commands(_parser()))


def test_every_option_is_there() -> None:
    options = {
        option
        for name in commands(_parser())
        for option in options_of(_parser(), name.split())
        if option not in {"-h", "--help"}
    }

    assert options == set(re.findall(r"--[a-z-]+[a-z]", " ".join(LISTED)))


def options_of(parser: argparse.ArgumentParser, path: list[str]) -> list[str]:
    for name in path:
        group = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
        parser = group.choices[name]
    return [option for action in parser._actions for option in action.option_strings]
