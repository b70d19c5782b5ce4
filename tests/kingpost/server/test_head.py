"""What a head asks for, found out without a parser in nearly all cases."""

from random import Random

import httptools
import pytest

from kingpost.problems import BadRequest, HeaderTooLarge
from kingpost.server.head import Limits, path_and_query

HOST = (b"host", b"localhost")
PIECES = [b"/", b"//", b"?", b"#", b"%", b"%2F", b"a", b"..", b":", b"@", b"a=b", b"&", b";", b"~"]


class Seen:
    """What llhttp takes for a target."""

    def __init__(self):
        self.url = b""
        self.complete = False

    def on_url(self, url):
        self.url += url

    def on_headers_complete(self):
        self.complete = True


def understood(url):
    """Path and query as httptools finds them, if such a request can arrive at all."""
    seen = Seen()
    try:
        parser = httptools.HttpRequestParser(seen)
        parser.feed_data(b"GET " + url + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        parsed = httptools.parse_url(seen.url)
    except httptools.HttpParserError:
        return None
    assert seen.complete
    return (parsed.path or b"").decode(), parsed.query or b""


def asked(url, *headers, method=b"GET", version="1.1", **limits):
    return path_and_query(
        method=method,
        url=url,
        version=version,
        headers=[HOST, *headers],
        limits=Limits(**limits),
        port=80,
    )


def test_a_path_and_a_query_are_those_that_the_parser_finds():
    random = Random(3)
    compared = 0
    for _ in range(5000):
        url = b"/" + b"".join(random.choices(PIECES, k=random.randint(0, 6)))
        expected = understood(url)
        if expected is not None:
            compared += 1
            assert asked(url) == expected, url

    assert compared > 3000


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (b"/a?b#c", ("/a", b"b")),
        (b"/a#c?b", ("/a", b"")),
        (b"http://localhost", ("/", b"")),
        (b"http://localhost/a?b", ("/a", b"b")),
        (b"HTTP://LOCALHOST?b", ("/", b"b")),
    ],
)
def test_forms_that_are_rare_are_understood(url, expected):
    assert asked(url) == expected


def test_a_path_beyond_ascii_is_refused():
    with pytest.raises(BadRequest):
        asked("/é".encode())


@pytest.mark.parametrize(
    ("headers", "fits"),
    [(0, True), (9, True), (10, False)],
)
def test_header_lines_are_counted(headers, fits):
    lines = [(b"x", b"y")] * headers
    if fits:
        asked(b"/", *lines, headers=10)
    else:
        with pytest.raises(HeaderTooLarge, match="10 header lines"):
            asked(b"/", *lines, headers=10)


def test_the_bytes_of_all_header_lines_are_counted():
    host = len(b"host: localhost\r\n")
    asked(b"/", (b"x", b"y" * 10), header_bytes=host + 15)
    with pytest.raises(HeaderTooLarge, match="bytes"):
        asked(b"/", (b"x", b"y" * 11), header_bytes=host + 15)


@pytest.mark.parametrize(
    "headers",
    [
        [(b"host", b"localhost")],
        [(b"x", b"1"), (b"x", b"2"), (b"host", b"localhost")],
        [(b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")],
        [(b"transfer-encoding", b"gzip")],
    ],
)
def test_what_is_repeated_is_looked_at_with_care(headers):
    with pytest.raises(BadRequest):
        asked(b"/", *headers)


def test_other_headers_may_be_repeated():
    assert asked(b"/", (b"x", b"1"), (b"x", b"2")) == ("/", b"")
