"""What every answer says to a browser: run nothing, frame nothing, keep nothing."""

from __future__ import annotations

from http import HTTPStatus

from tollbook.http.exchange import RefusedError, refuse

Headers = list[tuple[bytes, bytes]]

_POLICY = (
    b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

SAFETY: Headers = [
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
]
"""For answers that are data. A page may state its own policy, which then holds."""


def with_safety(headers: Headers) -> Headers:
    """Add what an answer does not say itself."""
    said = {name.lower() for name, _ in headers}
    return [*headers, *(pair for pair in SAFETY if pair[0] not in said)]


def last_words(error: RefusedError) -> bytes:
    """A whole response for a request that never became one; it ends the connection."""
    answer = refuse({}, error)
    lines = [
        b"HTTP/1.1 %d %s" % (error.status, HTTPStatus(error.status).phrase.encode()),
        *(b"%s: %s" % pair for pair in SAFETY),
        b"content-type: application/json",
        b"content-length: %d" % len(answer.body),
        b"connection: close",
    ]
    return b"\r\n".join([*lines, b"", answer.body])
