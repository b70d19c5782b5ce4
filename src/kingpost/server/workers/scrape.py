"""The metrics of all workers in one answer, each with its number as a label.

Whichever worker is asked for `/metrics` asks the others, over Unix sockets in a folder that only
this account can read. Sums would look wrong to Prometheus: when one of several counters begins
again at zero, their sum goes down by something else than itself.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path

SECONDS = 1.0


class Scrape:
    """Shows the metrics of this worker to the others, and theirs to whoever asks this one.

    Args:
        folder: of the sockets.
        slot: number of this worker.
        render: its metrics, in the text format of Prometheus.
    """

    def __init__(self, folder: Path, slot: int, render: Callable[[], bytes]) -> None:
        self._folder = folder
        self._slot = slot
        self._render = render

    async def start(self) -> None:
        """Answers the other workers from now on."""
        path = _path(self._folder, self._slot)
        path.unlink(missing_ok=True)  # of the one before
        self._server = await asyncio.start_unix_server(self._show, path)

    async def _show(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            writer.write(self._render())
            await writer.drain()
        writer.close()

    async def render_all(self) -> bytes:
        """Asks all workers; one that does not answer within a second is left out.

        Returns:
            The metrics of all, in the text format of Prometheus.
        """
        others = [file for file in self._folder.iterdir() if file.stem != str(self._slot)]
        answers = await asyncio.gather(*map(_ask, others))
        found = {int(file.stem): text for file, text in zip(others, answers, strict=True) if text}
        found[self._slot] = self._render()
        return merge((str(slot), found[slot].decode()) for slot in sorted(found)).encode()


def _path(folder: Path, slot: int) -> Path:
    return folder / f"{slot}.metrics"


async def _ask(path: Path) -> bytes:
    try:
        async with asyncio.timeout(SECONDS):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                return await reader.read(-1)
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return b""


def merge(texts: Iterable[tuple[str, str]]) -> str:
    """Puts metrics together: a family stays in one piece, a sample gets the label `worker`.

    Args:
        texts: name of a worker and its metrics, in the text format of Prometheus.

    Returns:
        The same format.
    """
    families: dict[str, list[str]] = {}
    for worker, text in texts:
        samples: list[str] = []
        for line in text.splitlines():
            if line.startswith("# HELP "):
                name = line.split(" ", 3)[2]
                samples = families.setdefault(name, [])
            if line.startswith("#"):
                if line not in samples:
                    samples.append(line)
            elif line:
                samples.append(_labelled(line, worker))
    return "\n".join(line for lines in families.values() for line in lines) + "\n"


def _labelled(sample: str, worker: str) -> str:
    name, brace, rest = sample.partition("{")
    if brace:
        return f'{name}{{worker="{worker}",{rest}'
    name, _, value = sample.partition(" ")
    return f'{name}{{worker="{worker}"}} {value}'
