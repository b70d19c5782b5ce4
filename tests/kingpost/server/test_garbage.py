import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from kingpost.server.garbage import YOUNG, calm_garbage_collector


@pytest.fixture
def collector() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


class Knot:
    def __init__(self) -> None:
        self.self = self


@pytest.mark.usefixtures("collector")
def test_what_the_start_made_is_not_looked_at_again() -> None:
    calm_garbage_collector()

    assert gc.get_threshold()[0] == YOUNG
    assert gc.get_freeze_count() > 0


@pytest.mark.usefixtures("collector")
def test_cycles_are_still_collected() -> None:
    calm_garbage_collector()
    knot = weakref.ref(Knot())

    kept = [[n] for n in range(2 * YOUNG)]

    assert knot() is None
    assert kept


def test_a_served_process_is_set_so(service: Any) -> None:
    collector = service.get("/collector").json()

    assert collector["young"] == YOUNG
    assert collector["frozen"] > 0
