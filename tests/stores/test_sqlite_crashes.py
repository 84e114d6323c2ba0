"""The SQLite store when it is stopped at the worst moment: all of a batch, or nothing."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from lines import USAGE, answer, request, text_of
from strategies import FlatPricer
from tollbook.core.money import Money
from tollbook.core.observation import Call, Conditions, Instant, Part, StatementLine
from tollbook.core.problem import Problem
from tollbook.core.rate import Rater
from tollbook.formats.transcript import parse_block
from tollbook.ledger.scan import scan
from tollbook.ports import Batch, UsageQuery
from tollbook.prices import load_catalogue
from tollbook.sources.transcripts import TranscriptFolders
from tollbook.stores.sqlite.store import SqliteStore

ALWAYS = (0, 2**62)
FILES = 4
LINES = 150  # in each file, each round

VICTIM = """
import sys
from pathlib import Path
from tollbook.core.rate import Rater
from tollbook.ledger.scan import scan
from tollbook.prices import load_catalogue
from tollbook.sources.transcripts import TranscriptFolders
from tollbook.stores.sqlite.store import SqliteStore

rater = Rater(load_catalogue())
store = SqliteStore(Path(sys.argv[1]), rater, rater.version)
source = TranscriptFolders([Path(sys.argv[2])])
print("ready", flush=True)
while True:
    if scan(source, store, now=lambda: 1).added:
        print("stored", flush=True)
"""


class CrashError(Exception):
    """The end of a process, as far as a test in the same process can have it."""


def everything(store: SqliteStore) -> tuple[object, ...]:
    """What a ledger says, in short."""
    query = UsageQuery(buckets=[ALWAYS], by=frozenset({"session", "model", "tools"}))
    return (
        store.totals(query),
        store.coverage(),
        store.problems(),
        store.cursors("claude-code"),
        store.labels(),
        store.statements("session-1"),
        store.unrecorded(*ALWAYS),
    )


def batch(number: int, previous: bytes | None) -> Batch:
    """Something of everything."""
    block = text_of(
        answer({"content": [{"type": "tool_use", "name": f"T{number}"}]}),
        line(number),
        answer({"id": None}, requestId=f"req_{number + 1}"),
        request(f"ask-{number}"),
    )
    parsed = parse_block(memoryview(block), origin="a", first_line=1)
    return Batch(
        source="claude-code",
        origin="a",
        previous=previous,
        cursor=bytes([number]),
        afresh=True,
        observations=parsed.observations,
        calls=[*parsed.calls, Call("ask-0", asked=False)],
        statements=[StatementLine("session-1", number, 1, ())],
        problems=[Problem(origin="a", line=number, code="line-time", message="x; y")],
        labels={"-work": f"/work{number}"},
        lines=parsed.lines,
    )


def line(number: int) -> dict[str, object]:
    """A response of its own."""
    return answer(
        {"id": f"msg_01{number:022}"},
        {**USAGE, "output_tokens": number % 100 + 1},
        requestId=f"req_{number}",
    )


def test_a_crash_between_any_two_statements_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    witness = SqliteStore(path, FlatPricer(), "v1")
    witness.append([batch(1, None)], now=1)
    before = everything(witness)
    for fatal in count():
        store = SqliteStore(path, FlatPricer(), "v1")
        statements = count()

        def trace(_: object, sql: str, __: object, fatal: int = fatal) -> bool:
            if next(statements) == fatal:  # noqa: B023  # one store, one count
                raise CrashError(sql)
            return True

        store._db.exec_trace = trace  # noqa: SLF001  # where a crash can be had
        try:
            store.append([batch(2, b"\x01")], now=2)
        except CrashError:
            assert everything(witness) == before
        else:
            break
        finally:
            store.close()

    assert fatal > 10
    assert everything(witness) != before
    assert witness.verify() == []
    witness.close()


class Faulty(FlatPricer):
    """A pricer that fails at the last moment of a batch."""

    def part_cost(
        self, part: Part, conditions: Conditions, at: Instant
    ) -> tuple[Money, Money, dict[str, int]]:
        """See ``Pricer``."""
        raise CrashError(part, conditions, at)


def test_an_error_of_our_own_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    store = SqliteStore(path, Faulty(), "v1")
    before = everything(store)
    with pytest.raises(CrashError):
        store.append([batch(1, None)], now=1)

    assert everything(store) == before
    store.close()
    good = SqliteStore(path, FlatPricer(), "v1")
    good.append([batch(1, None)], now=1)
    assert good.verify() == []
    good.close()


def test_a_scan_that_is_interrupted_is_taken_up_again(tmp_path: Path) -> None:
    root = tmp_path / "projects" / "-work"
    root.mkdir(parents=True)
    (root / "1.jsonl").write_bytes(text_of(*map(line, range(9))))
    store = SqliteStore(tmp_path / "ledger.db", FlatPricer(), "v1")
    source = TranscriptFolders([root.parent])

    def interrupt(done: int, total: int) -> None:
        assert done <= total
        raise CrashError

    with pytest.raises(CrashError):
        scan(source, store, now=lambda: 1, progress=interrupt)

    assert store.coverage().responses == 0
    assert scan(source, store, now=lambda: 1).added == 9
    store.close()


def victims(ledger: Path, root: Path, number: int) -> Iterator[subprocess.Popen[bytes]]:
    """Processes that scan a folder into a ledger until they are killed."""
    command = [sys.executable, "-c", VICTIM, str(ledger), str(root)]
    for _ in range(number):
        yield subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603  # ours


def grow(root: Path, first: int) -> int:
    """Write on in every file; returns the next response's number."""
    for place in range(FILES):
        numbers = range(first, first + LINES)
        with (root / f"{place}.jsonl").open("ab") as file:
            file.write(text_of(*map(line, numbers)))
        first += LINES
    return first


@pytest.mark.parametrize(
    "kills", [10, pytest.param(1_000, marks=pytest.mark.night)], ids=["some", "many"]
)
def test_killed_processes_lose_and_double_nothing(tmp_path: Path, kills: int) -> None:
    root = tmp_path / "projects" / "-work"
    root.mkdir(parents=True)
    ledger = tmp_path / "ledger.db"
    responses = 0
    for kill in range(kills):
        running = list(victims(ledger, root.parent, 1 + kill % 2))
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
        responses = grow(root, responses)
        if kill % 10:
            time.sleep(kill * 7 % 61 / 1000)
        else:  # so that there is something to lose, however slow the machine
            assert running[0].stdout is not None
            assert running[0].stdout.readline() == b"stored\n"
        for process in running:
            process.kill()
        for process in running:
            process.communicate()
    rater = Rater(load_catalogue())
    store = SqliteStore(ledger, rater, rater.version)
    stored = store.coverage().responses
    scan(TranscriptFolders([root.parent]), store, now=lambda: 1)
    [total] = store.totals(UsageQuery(buckets=[ALWAYS]))

    assert 0 < stored <= responses
    assert total.tally.responses == responses
    assert total.tally.output_tokens == sum(n % 100 + 1 for n in range(responses))
    assert total.tally.uncached_input_tokens == 100 * responses
    assert store.verify() == []
    store.close()
