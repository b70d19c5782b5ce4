"""Lines that wait for the end of the turn, and that nothing loses."""

import asyncio
import subprocess
import sys
from types import SimpleNamespace

import pytest

from kingpost.observability.lines import Lines


class Output:
    """A standard output that remembers each write."""

    def __init__(self):
        self.writes = []

    def write(self, text):
        self.writes.append(text)

    def flush(self):
        return


@pytest.fixture
def output(monkeypatch):
    output = Output()
    # Not that of this process: pytest changes it on its own.
    monkeypatch.setattr("kingpost.observability.lines.sys", SimpleNamespace(stdout=output))
    return output


async def test_lines_of_one_turn_are_written_together(output):
    lines = Lines()
    lines.collect("a")
    lines.collect("b")
    assert output.writes == []

    await asyncio.sleep(0)
    lines.collect("c")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert output.writes == ["a\nb\n", "c\n"]


async def test_a_line_that_cannot_wait_does_not_overtake(output):
    lines = Lines()
    lines.collect("a")
    lines.write("b")
    await asyncio.sleep(0)

    assert output.writes == ["a\nb\n"]


def test_another_loop_writes_what_one_that_ended_has_left(output):
    lines = Lines()

    def end_at_once(text):
        loop = asyncio.new_event_loop()

        async def collect():
            lines.collect(text)
            loop.stop()

        task = loop.create_task(collect())
        loop.run_forever()
        loop.close()
        return task

    first = end_at_once("a")
    second = end_at_once("b")
    lines.flush()

    assert first.done()
    assert second.done()
    assert "".join(output.writes) == "a\nb\n"


async def test_what_cannot_be_written_is_lost_and_fails_nobody(monkeypatch, output):
    def full(_text):
        raise OSError(28, "No space left on device")

    lines = Lines()
    with monkeypatch.context() as broken:
        broken.setattr(output, "write", full)
        lines.write("lost")
    lines.write("kept")

    assert output.writes == ["kept\n"]


def test_a_process_that_ends_writes_what_waits():
    program = """
import asyncio, logging
from kingpost.context import RequestContext
from kingpost.observability import configure_logging
from kingpost.observability.logging import access_log

configure_logging()
configure_logging()
loop = asyncio.new_event_loop()

async def last():
    line = dict(status=200, seconds=0, gone=False, level=logging.INFO)
    access_log().write(RequestContext("the-last"), **line)
    loop.stop()

loop.create_task(last())
loop.run_forever()
raise SystemExit(3)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 3
    assert ended.stdout.count("the-last") == 1
    assert "Traceback" not in ended.stderr
