"""Time that a test moves."""

import asyncio


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
