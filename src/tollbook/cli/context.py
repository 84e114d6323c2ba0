"""What every command that opens the ledger begins with, and how it ends."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Concatenate, ParamSpec
from zoneinfo import ZoneInfo

import click

from tollbook.cli.late import PROGRESS, late
from tollbook.cli.speak import spoken, warn
from tollbook.config import Config, Loaded, load_config, system_zone, zone_of
from tollbook.core.errors import SourceUnavailableError, StoreUnavailableError
from tollbook.core.observation import Instant
from tollbook.core.rate import Rater
from tollbook.ledger.scan import no_progress, scan
from tollbook.ports import Appended, LedgerStore, Source
from tollbook.wiring import make_rater, make_sources, make_store

_P = ParamSpec("_P")
_BAR_BYTES = 32 << 20  # less than this is read before a bar could be seen
_LONG_RESPONSES = 20_000

no_scan_option = click.option(
    "--no-scan", is_flag=True, help="Report what the ledger knows; read nothing new"
)
timezone_option = click.option(
    "--timezone", metavar="ZONE", help="Where days begin, e.g. Europe/Zurich or UTC"
)


def clock() -> Instant:
    """Milliseconds since 1970; here the command line asks what time it is."""
    return time.time_ns() // 1_000_000


class App:
    """Everything a command works with, made once for a run.

    Args:
        loaded: The settings.
        timezone: The zone asked for on the command line.
        no_scan: Whether ``refresh`` must do nothing.
    """

    def __init__(
        self, loaded: Loaded, *, timezone: str | None = None, no_scan: bool = False
    ) -> None:
        self.loaded = loaded
        self.config: Config = loaded.config
        name = timezone or self.config.display.timezone
        self.zone: ZoneInfo = (
            zone_of(name, where="--timezone") if name else system_zone()
        )
        self.no_scan = no_scan
        self.now: Instant = clock()
        self.rater: Rater = make_rater(self.config)
        self.store: LedgerStore = make_store(self.config, self.rater)
        self._rate_again()

    def _rate_again(self) -> None:
        """Bring stored costs to today's prices, once after they changed."""
        stored = self.store.price_version()
        if stored is None or stored == self.rater.version:
            return
        count = self.store.coverage().responses
        if count > _LONG_RESPONSES:
            warn(f"prices have changed; rating {count:,} responses again")
        self.store.rerate()

    def refresh(self, *, quiet: bool = False) -> Appended:
        """Read what is new in every source, unless ``--no-scan`` was given.

        What is away for the moment stops no report: it is said on stderr, and the
        report shows what the ledger knows.
        """
        if self.no_scan:
            return Appended()
        try:
            return self.scan(make_sources(self.config), quiet=quiet)
        except (SourceUnavailableError, StoreUnavailableError) as error:
            warn(f"{error}; this is what the ledger knew before")
            return Appended()

    def scan(self, sources: Sequence[Source], *, quiet: bool) -> Appended:
        """Read what is new in some sources, with a bar when someone is watching.

        Raises:
            SourceError: A source could not be read.
            StoreError: What was read could not be kept.
        """
        progress = no_progress if quiet or not sys.stderr.isatty() else _Progress()
        total = Appended()
        try:
            for source in sources:
                total = total.plus(
                    scan(source, self.store, now=clock, progress=progress)
                )
        finally:
            if isinstance(progress, _Progress):
                progress.close()
        return total

    def close(self) -> None:
        """Let go of the ledger."""
        self.store.close()


class _Progress:
    """A bar that appears only when there is much to read."""

    def __init__(self) -> None:
        self._move: Callable[[int, int], None] | None = None
        self._close: Callable[[], None] = lambda: None

    def __call__(self, done: int, total: int) -> None:
        if self._move is None and total >= _BAR_BYTES:
            bar = late(PROGRESS).Bar()
            self._move, self._close = bar, bar.close
        if self._move is not None:
            self._move(done, total)

    def close(self) -> None:
        self._close()


def with_app(
    command: Callable[Concatenate[App, _P], int | None],
) -> Callable[_P, int]:
    """Give a command an open ``App`` as its first argument, and end it properly.

    ``--timezone`` and ``--no-scan``, where the command has them, go to the app. What
    the command returns is the exit code; nothing is 0.
    """

    def run(*args: _P.args, **options: _P.kwargs) -> int:
        with spoken():
            timezone = options.pop("timezone", None)
            no_scan = options.pop("no_scan", False)
            assert timezone is None or isinstance(timezone, str)
            app = App(load_config(), timezone=timezone, no_scan=bool(no_scan))
            try:
                return command(app, *args, **options) or 0
            finally:
                app.close()

    return update_wrapper(run, command)
