"""What a request's head must be like before an application may see it (RFC 9112)."""

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import httptools

from kingpost.problems import BadRequest, HeaderTooLarge, MethodNotImplemented, Problem
from kingpost.settings import ServiceSettings

Headers = list[tuple[bytes, bytes]]

_HOST = re.compile(
    rb"(\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)(?::([0-9]{0,5}))?"
)
_METHOD_THEN_TARGET = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+( |\Z)")
_SCHEMES = (b"http", b"https")
_HTTP_2 = b"PRI * HTTP/2"
# Orchestrators probe by address, whatever the names the service answers to.
_PROBES = (b"/livez", b"/readyz")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a connection may send.

    Attributes:
        header_bytes: of all header lines together.
        headers: number of header lines.
        url_bytes: of the request target.
        head_seconds: from the first byte of a head to its end.
        content_seconds: from the first wait for content to the end of it.
        write_seconds: that a client may take for `LEAST_BYTES` of its answer.
        hosts: names that requests may be for; empty allows every name.
        open_ports: local ports on which every name is allowed.
    """

    header_bytes: int = 32_768
    headers: int = 100
    url_bytes: int = 8_192
    head_seconds: float = 10.0
    content_seconds: float = 8.0
    write_seconds: float = 20.0
    hosts: frozenset[str] = frozenset()
    open_ports: frozenset[int] = frozenset()

    @classmethod
    def of(cls, settings: ServiceSettings) -> "Limits":
        """The limits that the settings name; `allowed_hosts="*"` allows every name."""
        names = frozenset(n.strip().lower() for n in settings.allowed_hosts.split(",")) - {""}
        return cls(
            header_bytes=settings.max_header_bytes,
            headers=settings.max_headers,
            url_bytes=settings.max_url_bytes,
            head_seconds=settings.request_timeout,
            content_seconds=settings.content_seconds,
            write_seconds=settings.write_timeout,
            hosts=frozenset() if "*" in names else names,
        )


def path_and_query(
    *, method: bytes, url: bytes, version: str, headers: Headers, limits: Limits, port: int | None
) -> tuple[str, bytes]:
    """Checks a head and says what it asks for.

    Args:
        method: of the request.
        url: the request target as it was sent.
        version: such as `1.1`.
        headers: names in lower case.
        limits: of the server.
        port: the local port that the request came to.

    Returns:
        The path, escapes as they are, and the query without its question mark.

    Raises:
        Problem: the request must be refused.
    """
    _check_size(headers, limits)
    if version not in ("1.0", "1.1"):
        raise BadRequest("The protocol must be HTTP/1.1 or HTTP/1.0.")
    if method == b"CONNECT":
        raise MethodNotImplemented("This is not a proxy.")
    host = _check_headers(version, headers)
    target, authority = _origin_form(method, url)
    if authority is not None and host is not None and authority.lower() != host.lower():
        raise BadRequest("The target names another host than the Host header.")
    _check_allowed(host, target, limits, port)
    return _split(target)


def _check_size(headers: Headers, limits: Limits) -> None:
    if len(headers) > limits.headers:
        raise HeaderTooLarge(f"The limit is {limits.headers} header lines.")
    if sum(map(len, chain.from_iterable(headers))) + 4 * len(headers) > limits.header_bytes:
        raise HeaderTooLarge(f"The limit is {limits.header_bytes} bytes.")


def _check_headers(version: str, headers: Headers) -> bytes | None:
    """The host, if there is one, of headers that are in order."""
    values = dict(headers)
    if b"transfer-encoding" in values:
        _check_framing(version, headers)
    if len(values) == len(headers) and b"host" in values:  # as nearly always
        return _valid_host(values[b"host"])
    return _host_of(version, headers)


def _check_framing(version: str, headers: Headers) -> None:
    codings = [value.strip().lower() for name, value in headers if name == b"transfer-encoding"]
    if version == "1.0":
        raise BadRequest("HTTP/1.0 has no Transfer-Encoding.")
    if codings != [b"chunked"]:
        raise BadRequest("The only Transfer-Encoding understood is chunked.")


def _host_of(version: str, headers: Headers) -> bytes | None:
    hosts = [value.strip() for name, value in headers if name == b"host"]
    if not hosts and version == "1.0":
        return None
    if len(hosts) != 1:
        raise BadRequest("The request must have exactly one Host header.")
    return _valid_host(hosts[0])


def _valid_host(value: bytes) -> bytes:
    host = value.strip()
    if _name_in(host) is None:
        raise BadRequest("The Host header is not valid.")
    return host


@lru_cache(maxsize=256)
def _name_in(host: bytes) -> str | None:
    """The name without its port, in lower case; None if it is no host at all."""
    match = _HOST.fullmatch(host)
    return match[1].decode("ascii").lower() if match else None


def _origin_form(method: bytes, url: bytes) -> tuple[bytes, bytes | None]:
    """The target without scheme and host, and the host it named, if any."""
    if url.startswith(b"/"):
        return url, None
    if url == b"*" and method == b"OPTIONS":
        return b"*", None
    try:
        parsed = httptools.parse_url(url)
    except httptools.HttpParserError as error:
        raise BadRequest("The request target is not valid.") from error
    if not parsed.host or (parsed.schema or b"").lower() not in _SCHEMES:
        raise BadRequest("The request target is not valid.")
    if parsed.userinfo:
        raise BadRequest("The request target may not have user information.")
    authority = url.split(b"://", 1)[1].split(b"/", 1)[0].split(b"?", 1)[0]
    query = b"?" + parsed.query if parsed.query else b""
    return (parsed.path or b"/") + query, authority


def _check_allowed(host: bytes | None, target: bytes, limits: Limits, port: int | None) -> None:
    if not limits.hosts or port in limits.open_ports or target in _PROBES:
        return
    if host is None or _name_in(host) not in limits.hosts:
        raise BadRequest("This host is not served here.")


def _split(target: bytes) -> tuple[str, bytes]:
    try:
        if target.startswith(b"/") and b"#" not in target:
            path, _, query = target.partition(b"?")
            return path.decode("ascii"), query
        parsed = httptools.parse_url(target)
        return (parsed.path or b"").decode("ascii"), parsed.query or b""
    except (httptools.HttpParserError, UnicodeDecodeError) as error:
        raise BadRequest("The request target is not valid.") from error


def without_upgrade(method: bytes, url: bytes, version: str, headers: Headers) -> bytes:
    """Writes a head down again as that of a plain request (RFC 9110 section 7.8).

    Args:
        method: of the request.
        url: the request target as it was sent.
        version: such as `1.1`.
        headers: names in lower case.

    Returns:
        The head as bytes, with its empty line.
    """
    lines = [b"%b %b HTTP/%b" % (method, url, version.encode("ascii"))]
    lines += [b"%b: %b" % header for header in headers if header[0] != b"upgrade"]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def explain(error: httptools.HttpParserError, start: bytes) -> Problem:
    """What to answer when the parser gave up.

    Args:
        error: of the parser.
        start: the first bytes of the message, or nothing if they are not known.

    Returns:
        501 for a method that could exist, otherwise 400.
    """
    if start.startswith(_HTTP_2):
        return BadRequest("This server speaks HTTP/1.1, not HTTP/2.")
    if isinstance(error, httptools.HttpParserInvalidMethodError):
        if not start or _METHOD_THEN_TARGET.match(start):
            return MethodNotImplemented()
        return BadRequest("This is not HTTP.")
    if isinstance(error, httptools.HttpParserCallbackError):
        return BadRequest("The request target is not valid.")
    return BadRequest(f"{str(error) or 'The request is not valid HTTP'}.")
