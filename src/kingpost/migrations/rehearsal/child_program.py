"""What the process of a served version runs: it makes a key for everything, then serves.

It is given to Python as text, since the version that it imports may be an older one, and it is one
process for both since a start costs more than either.
"""

import io
import re
import sys
from contextlib import redirect_stderr, redirect_stdout

from kingpost.cli.main import main

_SCOPES = re.compile(r"one of (.+), or a narrower one")
_KEY = re.compile(r"^key\s+\S+$", re.MULTILINE)


def run() -> int:
    """Prints the key as `kingpost keys create` does, and serves until a signal ends it.

    Returns:
        The exit code; 1 if no key can be made, after a line that says why.
    """
    told, failed = _make_key()
    if found := _SCOPES.search(failed):
        told, failed = _make_key(
            *(part for one in found[1].split(", ") for part in ("--scope", one))
        )
    if key := _KEY.search(told):
        sys.stdout.write(f"{key[0]}\n")
        sys.stdout.flush()
    elif "has no API keys" not in failed:  # then it may be open to everybody
        sys.stderr.write(failed or "no key was made")
        return 1
    return main(["serve"])


def _make_key(*scopes: str) -> tuple[str, str]:
    told, failed = io.StringIO(), io.StringIO()
    with redirect_stdout(told), redirect_stderr(failed):
        main(["keys", "create", "rehearsal", *scopes])
    return told.getvalue(), failed.getvalue()


if __name__ == "__main__":
    sys.exit(run())
