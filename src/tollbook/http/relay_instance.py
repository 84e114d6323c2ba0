"""A relay's own name, and whether others of that kind are still alive.

Each running relay holds the lock of a file of its name. The system lets go of it when
the process ends, however that happens; nobody has to clean up to be known as dead.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets

from tollbook.sdk.lock import hold

_FOLDER = "relay"
_NAME = re.compile(r"[0-9a-f]{16}", re.ASCII)


class Instance:
    """This process among the relays of one ledger.

    Args:
        folder: Where the ledger is.
    """

    def __init__(self, folder: str) -> None:
        self._folder = os.path.join(folder, _FOLDER)
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        self.name = secrets.token_hex(8)
        self._handle = self._open(self.name)
        if not hold(self._handle):
            message = "nobody else can have a name that was drawn just now"
            raise AssertionError(message)

    def is_alive(self, name: str) -> bool:
        """Whether the relay of that name still runs; forgets it when it does not."""
        if name == self.name:
            return True
        if not _NAME.fullmatch(name) or not os.path.exists(self._path(name)):
            return False
        handle = self._open(name)
        try:
            if not hold(handle):
                return True
        finally:
            os.close(handle)
        self._forget(name)
        return False

    def close(self) -> None:
        """End in order: nothing of this relay is left."""
        os.close(self._handle)
        self._forget(self.name)

    def _open(self, name: str) -> int:
        return os.open(self._path(name), os.O_RDWR | os.O_CREAT, 0o600)

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, f"{name}.lock")

    def _forget(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path(name))
