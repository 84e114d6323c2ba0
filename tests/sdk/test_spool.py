"""tollbook.sdk.spool: what is on disk outlives the process that put it there."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tollbook.sdk.spool import Spool, SpoolFullError

LINES = [b'{"id":"%d"}' % number for number in range(5)]

VICTIM = """
import os, signal, sys
from tollbook.sdk.spool import Spool
spool = Spool(sys.argv[1])
for number in range(int(sys.argv[2])):
    spool.write([b'{"id":"%d"}' % number])
print("kept", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """Nothing is there yet."""
    return str(tmp_path / "state" / "spool")


def files(folder: str) -> list[Path]:
    """What is in the folder."""
    return sorted(Path(folder).iterdir())


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file may grow beyond a size."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def test_what_was_written_comes_back_in_order(folder: str) -> None:
    spool = Spool(folder)
    spool.write(LINES[:2])
    spool.write(LINES[2:])
    segment = spool.take()

    assert segment is not None
    assert segment.own
    assert segment.read() == LINES
    assert spool.take() is None

    spool.put_back(segment)
    assert spool.take() is segment

    spool.settle(segment)
    assert files(folder) == []


def test_only_the_owner_can_read_it(folder: str) -> None:
    Spool(folder).write(LINES)

    assert stat.S_IMODE(Path(folder).stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in files(folder)] == [0o600]


def test_nobody_takes_what_a_living_process_holds(folder: str) -> None:
    spool, other = Spool(folder), Spool(folder)
    assert not other.left_behind()
    spool.write(LINES)

    assert other.left_behind()
    assert other.adopt() is None

    spool.close()
    segment = other.adopt()
    assert segment is not None
    assert (segment.own, segment.read()) == (False, LINES)
    assert spool.adopt() is None


def test_what_a_killed_process_kept_is_taken_up_by_the_next(folder: str) -> None:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", VICTIM, folder, "5"], capture_output=True, check=False
    )
    segment = Spool(folder).adopt()

    assert (done.returncode, done.stdout) == (-9, b"kept\n")
    assert segment is not None
    assert segment.read() == LINES


@pytest.mark.parametrize("length", range(1, 21))
def test_a_line_that_was_cut_is_left_out_and_counted(folder: str, length: int) -> None:
    spool = Spool(folder)
    spool.write(LINES)
    spool.close()
    [path] = files(folder)
    path.write_bytes(path.read_bytes()[:-length])
    segment = Spool(folder).adopt()

    assert segment is not None
    # Of a line that only lacks its end nothing is lost; a line has 20 bytes.
    lost = 0 if length == 1 else 1
    assert segment.read() == (LINES if not lost else LINES[:-1])
    assert segment.damaged == (lost if length < 20 else 0)


def test_a_changed_line_is_left_out_and_the_others_are_not(folder: str) -> None:
    spool = Spool(folder)
    spool.write(LINES)
    spool.close()
    [path] = files(folder)
    path.write_bytes(path.read_bytes().replace(b'"2"', b'"7"'))
    segment = Spool(folder).adopt()

    assert segment is not None
    assert segment.read() == [*LINES[:2], *LINES[3:]]
    assert segment.damaged == 1


def test_what_was_resolved_is_not_read_again(folder: str) -> None:
    spool = Spool(folder)
    spool.write(LINES)
    segment = spool.take()
    assert segment is not None
    segment.resolved = 3

    assert segment.read() == LINES[3:]


def test_on_a_full_disk_nothing_is_half_written(folder: str) -> None:
    spool = Spool(folder)
    spool.write(LINES)
    before = files(folder)[0].read_bytes()
    with full_disk(len(before) + 30), pytest.raises(OSError, match=r"space|large"):
        spool.write([b"x" * 100])

    assert files(folder)[0].read_bytes() == before

    spool.write([b'{"id":"later"}'])
    taken = [spool.take(), spool.take()]
    assert [segment.read() for segment in taken if segment is not None] == [
        LINES,
        [b'{"id":"later"}'],
    ]


def test_beyond_its_limit_the_oldest_go_and_are_counted(folder: str) -> None:
    spool = Spool(folder, bytes_max=400, segment_bytes_max=100)
    for number in range(40):
        spool.write([b'{"id":"%02d"}' % number])
    held = sum(path.stat().st_size for path in files(folder))
    left = []
    while (segment := spool.take()) is not None:
        left += segment.read()
        spool.settle(segment)

    assert held <= 400
    assert spool.dropped == 40 - len(left) > 0
    assert left == [b'{"id":"%02d"}' % n for n in range(spool.dropped, 40)]


def test_what_the_dead_left_goes_before_ones_own(folder: str) -> None:
    dead = Spool(folder)
    dead.write([b"a" * 150])
    dead.close()
    spool = Spool(folder, bytes_max=300, segment_bytes_max=100)
    spool.write([b"b" * 100])
    spool.write([b"c" * 100])

    assert (spool.dropped, spool.dropped_of_others) == (0, 1)
    segment = spool.take()
    assert segment is not None
    assert segment.read() == [b"b" * 100]


def test_adopted_ones_that_go_are_not_counted_as_ones_own(folder: str) -> None:
    dead = Spool(folder)
    dead.write([b"a" * 150])
    dead.close()
    spool = Spool(folder, bytes_max=300, segment_bytes_max=100)
    segment = spool.adopt()
    assert segment is not None
    spool.put_back(segment)
    spool.write([b"b" * 100])
    spool.write([b"c" * 100])

    assert (spool.dropped, spool.dropped_of_others) == (0, 1)


def test_a_folder_full_of_what_others_hold_is_no_place(folder: str) -> None:
    other = Spool(folder)
    other.write([b"a" * 500])

    with pytest.raises(SpoolFullError, match="make room"):
        Spool(folder, bytes_max=300, segment_bytes_max=100).write(LINES)


def test_what_is_put_back_after_the_end_is_for_the_next(folder: str) -> None:
    spool = Spool(folder)
    spool.write(LINES)
    segment = spool.take()
    assert segment is not None
    spool.close()
    assert Spool(folder).adopt() is None

    spool.put_back(segment)

    assert Spool(folder).adopt() is not None


def test_a_forked_child_lets_go_and_the_parent_keeps_hold(folder: str) -> None:
    spool = Spool(folder)
    spool.write(LINES[:1])
    taken = spool.take()
    spool.write(LINES[1:2])
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        spool.abandon()
        spool.write(LINES[2:3])
        own = spool.take()
        os._exit(0 if own is not None and own.read() == LINES[2:3] else 1)
    _, code = os.waitpid(child, 0)

    assert code == 0
    assert taken is not None
    assert taken.read() == LINES[:1]
    found = Spool(folder).adopt()  # the child's, which is gone; never the parent's
    assert found is not None
    assert found.read() == LINES[2:3]
    assert Spool(folder).adopt() is None


def test_a_segment_somebody_emptied_in_between_holds_nothing(folder: str) -> None:
    spool = Spool(folder)
    with full_disk(0), pytest.raises(OSError, match=r"space|large"):
        spool.write(LINES)

    assert files(folder) == []
    other = Spool(folder)
    (Path(folder) / "0-1-1.ndjson").mkdir()
    assert other.adopt() is None
