"""The timer of idle connections, on a clock that the test moves."""

import asyncio

from kingpost.server.idle import IdleTimer


class Loop:
    """An event loop as far as a timer needs one."""

    def __init__(self):
        self.now = 0.0
        self.timers = []

    def time(self):
        return self.now

    def call_later(self, delay, callback):
        handle = asyncio.TimerHandle(self.now + delay, callback, (), asyncio.get_running_loop())
        self.timers.append(handle)
        return handle

    def move(self, seconds):
        end = self.now + seconds
        while due := [h for h in self.timers if not h.cancelled() and h.when() <= end]:
            handle = min(due, key=asyncio.TimerHandle.when)
            self.timers.remove(handle)
            self.now = max(self.now, handle.when())
            handle._run()
        self.now = end


async def test_it_rings_once_when_nothing_has_happened_for_the_whole_time():
    loop, rung = Loop(), []
    timer = IdleTimer(loop, 5, lambda: rung.append(loop.now))
    timer.start()
    loop.move(20)

    assert rung == [5]


async def test_what_happens_in_between_puts_it_off_without_another_timer():
    loop, rung = Loop(), []
    timer = IdleTimer(loop, 5, lambda: rung.append(loop.now))
    timer.start()
    for _ in range(8):
        loop.move(0.5)
        timer.stop()
        timer.start()
        assert len(loop.timers) == 1
    loop.move(20)

    assert rung == [9]


async def test_it_does_not_ring_while_something_goes_on():
    loop, rung = Loop(), []
    timer = IdleTimer(loop, 5, lambda: rung.append(loop.now))
    timer.start()
    timer.stop()
    loop.move(20)
    assert rung == []

    timer.start()
    loop.move(20)
    assert rung == [25]


async def test_what_is_forgotten_never_rings():
    loop, rung = Loop(), []
    timer = IdleTimer(loop, 5, lambda: rung.append(loop.now))
    timer.start()
    timer.forget()
    timer.forget()
    loop.move(20)

    assert rung == []
