"""Python's garbage collector, set for a process that serves requests."""

import gc

YOUNG, MIDDLE, OLD = 10_000, 20, 50


def calm_garbage_collector() -> None:
    """Has the collector of cycles look less often, and not at what the start has made.

    What a request makes is freed by counting references; Python's default looks for cycles
    after every 700 objects, which is several times per request and finds next to nothing.
    Cycles are still collected, after 10 000 objects (`gc.set_threshold`).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
