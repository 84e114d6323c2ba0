r"""The head of a request, as strictly as the grammar allows.

Two programs that read one connection differently can be told different things by it:
that is request smuggling. So what HTTP/1.1 lets a receiver forgive is refused here:
lone line ends, folded lines, two lengths, two hosts, a length beside chunks::

    POST /ingest HTTP/1.1\r\n
    Host: 127.0.0.1:4318\r\n
    Content-Length: 13\r\n
    \r\n

Grammar: RFC 9110 section 5 and RFC 9112 sections 2, 3, 5 and 6, read on 2026-11-24.
"""

from __future__ import annotations

import re
from typing import NoReturn

from tollbook.http.exchange import RefusedError

HEAD_BYTES_MAX = 16 << 10
TARGET_BYTES_MAX = 8 << 10
FIELDS_MAX = 100
END = b"\r\n\r\n"
CHUNKED = -1
"""In the place of a length: the body comes in chunks."""

_HEAD = re.compile(
    rb"[A-Z]{1,20}+ (/[!-~]*+) HTTP/1\.([01])\r\n"
    rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[\t\x20-\x7e\x80-\xff]*+\r\n)*+\r\n"
)
_FOREIGN = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?!\n|\Z)")
_LENGTH = re.compile(rb"\r\ncontent-length:[\t ]*+([0-9]{1,15})[\t ]*+\r\n")
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[\t ]*+chunked[\t ]*+\r\n")
_ONCE = (b"\r\nauthorization:", b"\r\nx-api-key:", b"\r\ncontent-encoding:")


def check_start(data: bytes) -> None:
    """Look at a head that has no end yet.

    Raises:
        RefusedError: Whatever follows, it will be none.
    """
    if _FOREIGN.search(data) or not (b"A" <= data[:1] <= b"Z"):
        malformed("this is no HTTP/1.1")
    if len(data) > HEAD_BYTES_MAX:
        _too_large(data)


def body_length(head: bytes) -> int:
    """How many bytes follow a whole head, which ends in an empty line.

    Returns:
        The length of the body, or ``CHUNKED``.

    Raises:
        RefusedError: The head is malformed, ambiguous or too large.
    """
    if len(head) > HEAD_BYTES_MAX:
        _too_large(head)
    match = _HEAD.fullmatch(head)
    if match is None:
        malformed("the request line or a header line is not as HTTP/1.1 wants it")
    if len(match[1]) > TARGET_BYTES_MAX:
        _too_large(head)
    if head.count(b"\r\n") > FIELDS_MAX + 2:
        text = f"more than {FIELDS_MAX} header lines; send fewer"
        raise RefusedError(431, "head_too_large", text)
    lower = head.lower()
    if lower.count(b"\r\nhost:") != 1:
        malformed("there must be one Host line")
    for name in _ONCE:
        if lower.count(name) > 1:
            malformed(f"{name[2:-1].decode()} stands there twice")
    return _framing(lower, old=match[2] == b"0")


def _framing(lower: bytes, *, old: bool) -> int:
    lengths = lower.count(b"\r\ncontent-length:")
    codings = lower.count(b"\r\ntransfer-encoding:")
    if lengths + codings == 0:
        return 0
    if lengths + codings > 1:
        malformed("the body's length is stated twice")
    if codings:
        if old or not _CHUNKED.search(lower):
            malformed("the only Transfer-Encoding is chunked, in HTTP/1.1")
        return CHUNKED
    length = _LENGTH.search(lower)
    if length is None:
        malformed("Content-Length is no sensible number of bytes")
    return int(length[1])


def malformed(what: str) -> NoReturn:
    """Refuse what cannot be read one way only; its connection must be closed."""
    raise RefusedError(400, "malformed_request", f"{what}; correct the client")


def _too_large(head: bytes) -> NoReturn:
    line, _, _ = head.partition(b"\r\n")
    if len(line) > TARGET_BYTES_MAX:
        text = f"the target is longer than {TARGET_BYTES_MAX} bytes; shorten it"
        raise RefusedError(414, "target_too_long", text)
    text = f"the head is larger than {HEAD_BYTES_MAX} bytes; send fewer header lines"
    raise RefusedError(431, "head_too_large", text)
