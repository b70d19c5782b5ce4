"""The timer of idle connections, on a clock that the test moves."""

from tests.kingpost.server.clock import Loop

from kingpost.server.idle import IdleTimer


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
