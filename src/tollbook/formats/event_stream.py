"""Server-sent events, cut out of bytes that come in any pieces.

An event ends with an empty line; a line ends with LF, CR or both; an event's data may
stand on several lines (WHATWG HTML, "Parsing an event stream", read 2026-11-22)::

    event: message_stop
    data: {"type": "message_stop"}

"""

from __future__ import annotations

import re

EVENT_MAX = 262_144  # bytes; a larger event is measured and not looked into
_HEAD = 256  # bytes of such an event that tell what it is

_MARK = b"\xef\xbb\xbf"
_PLAIN_EVENTS = re.compile(rb"^event:.*\ndata:(.*)\n\n", re.MULTILINE).findall


class EventStream:
    """Gives whole events as their bytes come in."""

    __slots__ = ("_after_return", "_begun", "_rest", "_skips", "unread")

    def __init__(self) -> None:
        self._rest = b""
        self._after_return = False  # the last block ended with CR: is LF next?
        self._begun = False
        self._skips = False  # within an event that is too large
        self.unread = 0  # bytes of events that were too large

    def feed(self, block: bytes) -> list[tuple[bytes, bool]]:
        """The text of the events that end in a block, with LF for every line's end.

        A piece of text is whole events, and True; or the first bytes of one that is too
        large, and False.
        """
        if self._after_return or b"\r" in block:
            block = self._with_plain_ends(block)
        text = self._rest + block if self._rest else block
        if self._skips:
            end = text.find(b"\n\n")
            if end < 0:
                self.unread += len(block)
                self._rest = text[-1:]
                return []
            self.unread += end - 1
            self._skips = False
            text = text[end + 2 :]
        end = text.rfind(b"\n\n") + 2
        if end < 2:  # noqa: PLR2004  # no empty line at all
            self._rest, text = text, b""
        else:
            self._rest, text = text[end:], text[:end]
            if not self._begun:
                self._begun = True
                text = text.removeprefix(_MARK)
        if len(text) <= EVENT_MAX and len(self._rest) <= EVENT_MAX:
            return [(text, True)] if text else []
        return self._without_large(text)

    def close(self) -> bytes:
        """What stands after the last whole event: begun, and not ended."""
        rest = b"" if self._skips else self._rest
        return rest if self._begun else rest.removeprefix(_MARK)

    def _with_plain_ends(self, block: bytes) -> bytes:
        if self._after_return and block.startswith(b"\n"):
            block = block[1:]
            self._after_return = False
        if block:
            self._after_return = block.endswith(b"\r")
        return block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _without_large(self, text: bytes) -> list[tuple[bytes, bool]]:
        pieces = []
        for event in text.split(b"\n\n"):
            bare = event.strip(b"\n")
            if len(bare) > EVENT_MAX:
                self.unread += len(bare)
                pieces.append((bare[:_HEAD], False))
            elif bare:
                pieces.append((event + b"\n\n", True))
        bare = self._rest.lstrip(b"\n")
        if len(bare.rstrip(b"\n")) > EVENT_MAX:
            self._skips = True
            self.unread += len(bare)
            self._rest = bare[-1:]
            pieces.append((bare[:_HEAD], False))
        return pieces


def data_of_plain(text: bytes) -> list[bytes] | None:
    """The data of events that are all two lines, as nearly all are; else None."""
    data: list[bytes] = _PLAIN_EVENTS(text)
    return data if text.count(b"\n") == 3 * len(data) else None


def parted(text: bytes) -> list[tuple[str | None, bytes]]:
    """Name and data of every event that has data; data of several lines is joined."""
    found = []
    for event in text.split(b"\n\n"):
        lines = event.split(b"\n")
        # To JSON a line's end within the data means what a blank does.
        data = b" ".join(line[5:] for line in lines if line.startswith(b"data:"))
        if data and not data.isspace():
            names = [line[6:] for line in lines if line.startswith(b"event:")]
            name = names[-1].strip().decode("ascii", "replace") if names else None
            found.append((name, data))
    return found
