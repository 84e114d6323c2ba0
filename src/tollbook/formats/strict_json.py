"""Whether reading a JSON text lost anything: a name given twice, or a field not known.

RFC 8259 leaves open what a name means that an object holds twice, and parsers keep the
last. Nobody knows what the sender meant, so such a record is refused. To find it costs
no second parser: what was read, written again, has fewer colons than the text had.
Nothing in between can add one, for JSON writes a colon as itself; a shape that is
written again leaves out what was not there.
"""

from __future__ import annotations

import re

import msgspec

_HIDDEN = b"\\u003"  # begins the escape that may stand for a colon
_ESCAPED_COLON = re.compile(rb"(?<!\\)(?:\\\\)*\\u003[aA]")


def lost_nothing(text: bytes | msgspec.Raw, again: bytes) -> bool:
    """Whether ``again``, written from what was read, says all that ``text`` said."""
    whole = bytes(text)
    colons = whole.count(b":")
    if _HIDDEN in whole:
        colons += len(_ESCAPED_COLON.findall(whole))
    return colons == again.count(b":")


def says_twice(text: bytes | msgspec.Raw) -> bool:
    """Whether an object in a valid JSON text holds a name twice."""
    return not lost_nothing(text, msgspec.json.encode(msgspec.json.decode(text)))
