from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kingpost.migrations.hazards.servers import Servers


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Rehearses cases on a server of any major version, started once."""
    folder: Path = tmp_path_factory.mktemp("hazards")
    with Servers(folder) as started:
        yield started
