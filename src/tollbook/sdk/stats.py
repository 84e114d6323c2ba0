"""What a client can be set to, and what it tells of itself."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much, how long, how often."""

    batch_records_max: int = 500
    batch_age_s: float = 1.0  # a record waits no longer for company
    memory_bytes_max: int = 8 << 20  # beyond it records go to disk
    spool_bytes_max: int = 256 << 20  # beyond it the oldest records go
    answer_s: float = 10.0  # how long the server may take
    exit_s: float = 2.0  # how long the end of the process may take
    retry_min_s: float = 0.5
    retry_max_s: float = 60.0
    adopt_every_s: float = 60.0  # how often to look for what dead processes left


class Stats(msgspec.Struct, kw_only=True):
    """What a client has done in this process so far.

    ``recorded = accepted + repeated + refused + dropped + waiting``.
    """

    recorded: int = 0  # calls of ``record``
    accepted: int = 0  # the server has them
    repeated: int = 0  # the server had them already
    refused: int = 0  # the server will never have them
    dropped: int = 0  # lost: neither memory nor disk had room
    waiting: int = 0  # not answered for yet, in memory or on disk
    spooled: int = 0  # went to disk on their way
    adopted: int = 0  # left by dead processes, answered for by now
    dropped_of_others: int = 0  # left by dead processes, lost: the disk had no room
    damaged: int = 0  # lines on disk that were cut or changed
    failures: int = 0  # attempts that have to be made again
    refusals: tuple[str, ...] = ()  # why, the last few
    trouble: str = ""  # why the latest attempt failed; empty when it did not
