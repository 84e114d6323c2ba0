"""Exceptions a caller may catch.

* TollbookError             root of everything raised on purpose; ``exit_code`` for shells
  + InexactAmountError      an amount is no number, or finer than a picodollar
  + InvalidPeriodError      a date, duration or time zone cannot be understood
  + NothingMatchesError     a name means nothing in the ledger, or more than one thing
  x CatalogueError          a price catalogue contradicts itself
    + OverlappingRatesError     two prices for one model at one instant
    + CatalogueGapError         a model's prices stop and start again, unexplained
    + CatalogueDataError        a catalogue file cannot be understood
  + ConfigError             a setting is wrong; nothing was started
  + ControlError            a project or key cannot be made or changed as asked
    + NotAllowedError           a key may not do that
    + KeyRefusedError           this is no key that opens anything
  x SourceError             a source could not be read
    + SourceUnavailableError    transient: try the same read again
    + SourceRejectedError       permanent: the same read will fail again
  + TooSlowError            a question takes longer than whoever answers may take
  + BusyError               too much is waiting to be written; come back later
  x StoreError              the ledger file could not be used
    + StoreUnavailableError     transient: locked, or the disk is full
    + StoreDamagedError         the file is not a sound ledger
    + StoreTooNewError          a newer tollbook wrote it

Lines with ``x`` are only caught, never raised. Bad *data* is not here: a line that
cannot be understood becomes a ``Problem`` and the run goes on. Bugs are not here either:
they are failed asserts and stop the run.
"""

from __future__ import annotations


class TollbookError(Exception):
    """Root of every error this package raises on purpose."""

    exit_code = 1


class InexactAmountError(TollbookError):
    """An amount cannot be held as whole picodollars."""

    exit_code = 2

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(
            f"{text!r} is not a whole number of picodollars (10**-12 USD); "
            "correct the figure at its source, we never round on the way in"
        )


class InvalidPeriodError(TollbookError):
    """A date, duration or time zone cannot be understood."""

    exit_code = 2


class NothingMatchesError(TollbookError):
    """A name means nothing in the ledger, or more than one thing."""

    exit_code = 2


class CatalogueError(TollbookError):
    """A price catalogue contradicts itself."""

    exit_code = 3


class OverlappingRatesError(CatalogueError):
    """Two prices for one model at one instant."""


class CatalogueGapError(CatalogueError):
    """A model's prices stop and start again without an explanation."""


class CatalogueDataError(CatalogueError):
    """A catalogue file cannot be understood."""


class ConfigError(TollbookError):
    """A setting is wrong; nothing was started."""

    exit_code = 3


class ControlError(TollbookError):
    """A project or key cannot be made or changed as asked; nothing was changed."""

    exit_code = 2


class NotAllowedError(ControlError):
    """A key may not do that."""


class KeyRefusedError(ControlError):
    """This is no key that opens anything. The message is always the same.

    Args:
        why: For the log alone: whoever tried the key must not learn it.
    """

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(
            "the key is not valid; check it, or have a new one made with "
            "`tollbook key create`"
        )


class SourceError(TollbookError):
    """A source could not be read."""

    exit_code = 4


class SourceUnavailableError(SourceError):
    """Transient: the same read may succeed later."""


class SourceRejectedError(SourceError):
    """Permanent: the same read will fail again."""


class TooSlowError(TollbookError):
    """A question takes longer than whoever answers may take."""

    def __init__(self) -> None:
        super().__init__("answering takes too long here; ask for a shorter period")


class BusyError(TollbookError):
    """Too much is waiting to be written."""

    def __init__(self) -> None:
        super().__init__("too much is waiting to be written; send it again in a moment")


class StoreError(TollbookError):
    """The ledger file could not be used."""

    exit_code = 5


class StoreUnavailableError(StoreError):
    """Transient: another process holds the ledger, or the disk is full."""


class StoreDamagedError(StoreError):
    """The file is not a sound ledger. Nothing was overwritten."""


class StoreTooNewError(StoreError):
    """A newer tollbook wrote the file; this one would not understand it."""
