"""A bar on a terminal while bytes are read."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)


class Bar:
    """Told how many bytes of how many have been read; gone when it is closed."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("reading"),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task("", total=None)
        self._progress.start()

    def __call__(self, done: int, total: int) -> None:
        """Move on."""
        self._progress.update(self._task, completed=done, total=total)

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._progress.stop()
