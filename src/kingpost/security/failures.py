"""Keeps an address from which too many wrong keys came from having more of them checked."""

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, IPv6Network, ip_address
from math import ceil
from time import monotonic

from kingpost.ratelimit.problems import AbnormalUsage

WINDOW_SECONDS = 60
ADDRESSES = 10_000
_POLICY = "failed-authentications"
_PREFIX = 64


class FailedAuthentications:
    """Counts wrong keys by address, in this process.

    An IPv6 address counts with its network of 64 bits, which is what one customer gets. Of the
    addresses the ones that failed last are remembered, so the memory is bounded.

    Args:
        limit: wrong keys of an address in a minute.
        told: is told `address_refused` for each request that is refused.
    """

    def __init__(self, limit: int, *, told: Callable[[str], None] = lambda _: None) -> None:
        self._limit = limit
        self._told = told
        self._windows: OrderedDict[str, _Window] = OrderedDict()

    def __len__(self) -> int:
        """How many addresses are remembered."""
        return len(self._windows)

    def check(self, address: str | None) -> None:
        """Lets an attempt go on, if its address has not failed too often.

        Args:
            address: of the client; None for one without, as on a Unix socket, is never refused.

        Raises:
            AbnormalUsage: with `Retry-After`, the end of the minute.
        """
        window = self._windows.get(network_of(address)) if address else None
        if window is None or window.failures < self._limit:
            return
        seconds = window.ends - monotonic()
        if seconds > 0:
            self._told("address_refused")
            raise AbnormalUsage(policy=_POLICY, retry_after=ceil(seconds))

    def count(self, address: str | None) -> None:
        """Counts a wrong key.

        Args:
            address: of the client.
        """
        if not address:
            return
        network, now = network_of(address), monotonic()
        window = self._windows.get(network)
        if window is None or window.ends <= now:
            window = self._windows[network] = _Window(now + WINDOW_SECONDS)
        window.failures += 1
        self._windows.move_to_end(network)
        if len(self._windows) > ADDRESSES:
            self._windows.popitem(last=False)


class _Window:
    """The wrong keys of a minute."""

    __slots__ = ("ends", "failures")

    def __init__(self, ends: float) -> None:
        self.ends = ends
        self.failures = 0


def network_of(address: str) -> str:
    """What is counted together: an IPv4 address, or the /64 of an IPv6 address (RFC 4291).

    Args:
        address: as the server knows it.

    Returns:
        The same text for all addresses of a network; what is no address is returned as it is.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    host_bits = 128 - _PREFIX
    return str(IPv6Network((int(found) >> host_bits << host_bits, _PREFIX)))
