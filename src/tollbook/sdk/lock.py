"""A lock that ends with the process that holds it, however that process ends."""

from __future__ import annotations

import sys

if sys.platform == "win32":  # pragma: no cover - the tests run on POSIX systems
    import msvcrt

    def hold(handle: int) -> bool:
        """Take the lock of an open file; False when another process has it."""
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def hold(handle: int) -> bool:
        """Take the lock of an open file; False when another process has it."""
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
