"""What the server says on standard error: one line each, without what was sent."""

from __future__ import annotations

import secrets
import sys
import traceback
from collections.abc import Callable
from threading import Lock

_PACKAGE = "tollbook"

Say = Callable[[str], None]


def to_stderr(line: str) -> None:
    """Write one line, whole, whichever thread says it."""
    with _SPEAKING:
        sys.stderr.write(f"{_PACKAGE}: {line}\n")
        sys.stderr.flush()


_SPEAKING = Lock()


class Journal:
    """Tells of requests, if wanted, and of what nobody foresaw.

    Never of bodies, keys, query values, or an exception's own words, which may quote
    any of them.

    Args:
        say: Where lines go.
        verbose: Whether each request gets a line.
    """

    def __init__(self, say: Say = to_stderr, *, verbose: bool = False) -> None:
        self.say = say
        self.verbose = verbose

    def request(
        self, method: str, path: str, status: int, *, who: str, ms: int
    ) -> None:
        """One request that was answered; ``path`` is one of the server's own."""
        self.say(f'{method} {path} status={status} ms={ms} from="{who}"')

    def unforeseen(self, error: BaseException) -> str:
        """Say where an error happened; gives the number to ask about."""
        number = secrets.token_hex(6)
        frames = traceback.extract_tb(error.__traceback__)
        ours = [each for each in frames if f"/{_PACKAGE}/" in each.filename] or frames
        places = " < ".join(
            f"{each.filename.rpartition(f'/{_PACKAGE}/')[2]}:{each.lineno}"
            for each in reversed(ours[-4:])
        )
        self.say(f"error {number}: {type(error).__name__} at {places}")
        return number
