import asyncio
import threading
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from itertools import count

import pytest
from benchmarks.overload.aftermath import normal_after, over_after
from benchmarks.overload.generator import TIMED_OUT, UNSENT, Clients, Order
from benchmarks.overload.peak import Peak, highest
from benchmarks.overload.plot import chart
from benchmarks.overload.reporting import as_json, figures, summary
from benchmarks.overload.storms import NO_LIMIT, Result, Storm

PEAK = Peak(per_second=100, per_cpu_second=200)


def storm(*results: Result, limit: int = 512, retries: int = 0) -> Storm:
    return Storm(
        2, limit, retries, 200, began=1, ended=3, results=results, generator_cpu=0.2, server_cpu=0.5
    )


def calm(second: float) -> list[Result]:
    return [Result("user", second + n / 100, 0.01, 200, 0) for n in range(100)]


def test_what_was_done_refused_given_up_and_unsent_in_the_storm_is_counted() -> None:
    seen = storm(
        *calm(0),
        *calm(1),
        Result("page", 2, 0.002, 503, 0),
        Result("page", 2, 0.004, 503, 0),
        Result("page", 2, 0.02, 200, 0),
        Result("create", 2, 2.0, TIMED_OUT, 0),
        Result("create", 2, 0.0, UNSENT, 0),
        Result("create", 2, 0.1, 201, 1),
        *calm(3),
    )
    told = figures(seen, PEAK, watched=1)

    assert told["done_per_second"] == 51
    assert (told["of_peak"], told["per_cpu_of_peak"]) == (0.51, 1.02)
    assert (told["done_p50_ms"], told["done_p99_ms"]) == (10, 20)
    assert told["lists_done"] == 0.333
    assert (told["refused_per_second"], told["refused_p50_ms"]) == (1, 4)
    assert told["given_up_per_second"] == told["unsent_per_second"] == 0


@pytest.mark.parametrize(
    ("spoiled", "second"),
    [
        ([], 1),
        ([Result("user", 3.5, 0.01, 503, 0)] * 2, 2),
        ([Result("user", 3.5, 0.3, 200, 0)] * 2, 2),
        ([Result("user", 3.5, 0.01, 503, 1)] * 2, 1),  # not at the first try
        ([Result("user", s + 0.5, 2.0, TIMED_OUT, 0) for s in (3, 4) for _ in range(2)], None),
    ],
)
def test_a_second_is_normal_when_nearly_all_of_it_is_done_quickly(
    spoiled: list[Result], second: int | None
) -> None:
    assert normal_after(storm(*calm(3), *calm(4), *spoiled), watched=2) == second


def test_a_storm_goes_on_while_clients_that_try_again_bring_too_much() -> None:
    again = [Result("user", 4 + n / 400, 0.01, 503, 1) for n in range(400)]

    assert over_after(storm(*calm(1), *calm(3)), peak_per_second=101) == 0
    assert over_after(storm(*calm(3), *calm(4), *again, *calm(5)), peak_per_second=101) == 2


def test_seconds_are_counted_from_when_a_storm_is_over() -> None:
    refused = [Result("user", 3.5, 0.01, 503, 0)] * 2

    assert normal_after(storm(*calm(3), *refused, *calm(4)), watched=2, since=1) == 1


def test_the_peak_is_a_median_and_not_the_best_of_all() -> None:
    few, many = Peak(100, 150), Peak(110, 140)
    lucky = Peak(150, 150)

    assert highest([[few, many], [lucky, many], [few, many]]) == many


def test_the_table_says_which_storm_had_no_limit() -> None:
    shown = summary(
        [storm(*calm(1), *calm(3)), storm(*calm(1), limit=NO_LIMIT, retries=3)], PEAK, 1
    )

    assert "| **2 × the peak** | 200 | 50 | 50% | 100% |" in shown
    assert "| 2 × the peak, 3 retries, no limit |" in shown
    assert "| 0 | 100.0% | 10 | 1 |" in shown
    assert "| 0 | 0.0% | 0 | none |" in shown


def test_the_figures_for_programs_have_no_single_requests() -> None:
    told = as_json([storm(*calm(1), limit=NO_LIMIT)], PEAK, 1, {"date": "today"})

    assert (told["date"], told["peak"]) == ("today", {"per_second": 100, "per_cpu_second": 200})
    assert told["storms"][0]["limit"] is None
    assert all(not isinstance(value, list) for value in told["storms"][0].values())


def test_the_plot_has_a_line_for_each_limit_and_a_panel_for_each_strength() -> None:
    both = [storm(*calm(1), *calm(3)), storm(*calm(1), *calm(3), limit=NO_LIMIT)]
    drawn = ET.fromstring(chart([*both, storm(*calm(1), retries=3)], 100, "a < b"))  # noqa: S314 - drawn here

    lines = [node.get("class") for node in drawn.iter("{http://www.w3.org/2000/svg}path")]
    texts = [node.text for node in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert lines == ["ours", "none", "ours"]
    assert {"2 × the peak", "2 × the peak, 3 retries", "a < b"} <= set(texts)


@pytest.fixture
def port() -> Iterator[int]:
    """A server that refuses what it is asked first, and says nothing about /silence."""
    found: Future[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    asked = count()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while b"/silence" not in await reader.readuntil(b"\r\n\r\n"):
                status = b"200 OK" if next(asked) else b"503 No"
                lines = b"retry-after: 0\r\ncontent-length: 2\r\n\r\nok"
                writer.write(b"HTTP/1.1 " + status + b"\r\n" + lines)
            await reader.read()
        writer.close()

    async def run() -> None:
        stop = asyncio.Event()
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        place = server.sockets[0].getsockname()[1]
        found.set_result((place, asyncio.get_running_loop(), stop))
        await stop.wait()
        server.close()

    thread = threading.Thread(target=asyncio.run, args=[run()])
    thread.start()
    number, loop, stop = found.result(30)
    yield number
    loop.call_soon_threadsafe(stop.set)
    thread.join(30)


def statuses(port: int, path: str, *, timeout: float, connections: int) -> Counter[tuple[int, int]]:
    """Status and number of each try of ten requests in half a second."""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"
    order = Order(
        port, {"user": [request]}, {"user": 100}, [(0.5, 20)], connections, timeout, retries=1
    )
    with Clients(order) as clients:
        clients.run()
    return Counter((status, number) for *_, status, number in clients.results)


def test_the_clients_try_again_what_was_refused(port: int) -> None:
    seen = statuses(port, "/", timeout=30, connections=10)

    assert seen == {(503, 0): 1, (200, 0): 9, (200, 1): 1}


def test_the_clients_give_up_silence_and_send_nothing_without_a_connection(port: int) -> None:
    seen = statuses(port, "/silence", timeout=0.3, connections=1)

    assert {status for status, _ in seen} == {TIMED_OUT, UNSENT}
