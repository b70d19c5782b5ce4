"""How to type this command again."""

import shlex
import shutil
import sys
from pathlib import Path


def program(name: str = "kingpost") -> str:
    """A program beside the running one, as it can be pasted into a shell in this folder.

    Inside a virtual environment of the folder that is its path, since `make` finds programs
    there that the shell does not.

    Args:
        name: of the program.

    Returns:
        Such as `.venv/bin/kingpost`, or `kingpost` where it is on the PATH.
    """
    beside, folder = Path(sys.argv[0]).absolute().with_name(name), Path.cwd()
    if beside.is_relative_to(folder):
        return shlex.quote(str(beside.relative_to(folder)))
    return name if shutil.which(name) else shlex.quote(str(beside))
