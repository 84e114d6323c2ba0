"""What real clients exported: every recorded request, heard as it was sent.

A recording's ``expected.json`` has the events by name, then for ``api_request`` the number
of log records, their sums over [uncached input, output, cache writes, cache reads] and the
number of distinct request ids, then the sums of the counter ``claude_code.token.usage``.
Both are taken from the bytes as they are, before anything sent twice is counted once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
import pytest

from tollbook.core.money import PICO_PER_USD
from tollbook.core.observation import Evidence, StatementLine
from tollbook.core.rate import Rater
from tollbook.formats.otlp_sender import Heard, Sender
from tollbook.formats.otlp_signals import LOGS, METRICS, TRACES, Encoding, Signal
from tollbook.ledger.scan import scan
from tollbook.ports import Batch, LedgerStore, UsageQuery
from tollbook.prices import load_catalogue
from tollbook.sources.transcripts import TranscriptFolders
from tollbook.stores.memory import MemoryStore
from tollbook.stores.sqlite.store import SqliteStore

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = sorted(path.parent for path in (GOLDEN / "otlp").glob("2.*/*/expected.json"))
RECORDED = 1_795_406_400_000  # the day after, in milliseconds
SENDER = Sender(now=RECORDED)
ALWAYS = (0, 2**62)
PROTOBUF = {
    "events": {"api_request": 2},
    "log": [2, [2003, 103, 4606, 80003], 2],
    "metric": [2003, 103, 4606, 80003],
}
"""What the recording in protobuf says; its recorder could not read it."""

UNNAMED = "no_request_id"
"""Neither the answers nor the telemetry of this one have an id in common."""


class Expected(msgspec.Struct):
    """What a recording says before deduplication."""

    events: dict[str, int]
    log: tuple[int, list[int], int]
    metric: list[int]


def name_of(case: Path) -> str:
    """Version and name."""
    return f"{case.parent.name}/{case.name}"


every_case = pytest.mark.parametrize("case", CASES, ids=name_of)


def expected(case: Path) -> Expected:
    """What is known of a recording."""
    if case.name == "otlp_protobuf":
        return msgspec.convert(PROTOBUF, Expected)
    return msgspec.json.decode((case / "expected.json").read_bytes(), type=Expected)


def transcript(case: Path) -> list[int]:
    """What the transcripts of the same run say."""
    folder = GOLDEN / "claude_code" / case.parent.name / case.name
    return list(
        msgspec.json.decode((folder / "expected.json").read_bytes())["transcript"]
    )


def requests(case: Path, signal: Signal) -> list[Heard]:
    """The export requests of a recording, in order."""
    name = signal.path.rpartition("/")[2]
    found = [*case.glob(f"*_{name}.json"), *case.glob(f"*_{name}.pb")]
    return [
        signal.hear(
            path.read_bytes(),
            Encoding.JSON if path.suffix == ".json" else Encoding.PROTOBUF,
            SENDER,
        )
        for path in sorted(found)
    ]


def sums(usages: Iterable[Mapping[str, int]]) -> list[int]:
    """Counts in the recordings' terms."""
    whole = [0, 0, 0, 0]
    for usage in usages:
        write = usage.get("cache_write_5m_tokens", 0)
        whole[0] += usage.get("uncached_input_tokens", 0)
        whole[1] += usage.get("output_tokens", 0)
        whole[2] += write + usage.get("cache_write_1h_tokens", 0)
        whole[3] += usage.get("cache_read_input_tokens", 0)
    return whole


def latest(lines: Iterable[StatementLine]) -> list[StatementLine]:
    """The statements that stand: of each series the last."""
    standing: dict[tuple[str, str], StatementLine] = {}
    for line in sorted(lines, key=lambda line: line.sequence):
        standing[line.session, line.series] = line
    return list(standing.values())


def counted(store: LedgerStore) -> list[int]:
    """Everything in a ledger."""
    tallies = [
        each.tally._asdict() for each in store.totals(UsageQuery(buckets=[ALWAYS]))
    ]
    return sums(tallies)


def batches(case: Path, *signals: Signal) -> list[Batch]:
    """A recording's requests as a receiver hands them on."""
    return [
        Batch(source="otlp", origin="loopback", observations=heard.observations)
        for signal in signals
        for heard in requests(case, signal)
    ]


def test_every_recording_of_transcripts_has_its_telemetry() -> None:
    transcripts = (GOLDEN / "claude_code").glob("2.*/*/expected.json")

    assert len(CASES) == 96
    assert {name_of(path.parent) for path in transcripts} == set(map(name_of, CASES))


@every_case
def test_events_say_what_was_recorded(case: Path) -> None:
    known = expected(case)
    heard = [seen for each in requests(case, LOGS) for seen in each.observations]
    answered = [seen for seen in heard if seen.stated_cost is not None]
    failed = [seen for seen in heard if seen.failure is not None]

    assert len(answered) == known.log[0]
    assert sums(seen.parts[0].usage for seen in answered) == known.log[1]
    assert len({seen.request_id for seen in answered}) == known.log[2]
    assert len(failed) == known.events.get("api_error", 0)


@every_case
def test_counters_say_what_was_recorded(case: Path) -> None:
    lines = [line for each in requests(case, METRICS) for line in each.statements]

    assert sums(line.models[0].usage for line in lines) == expected(case).metric


@every_case
def test_nothing_of_a_recording_is_refused_or_unknown(case: Path) -> None:
    for signal in (LOGS, METRICS, TRACES):
        for heard in requests(case, signal):
            assert (heard.refused, heard.findings) == (0, {})


@pytest.mark.parametrize(
    "name", ["2.1.330/otlp_503", "2.1.330/otlp_cumulative", "2.1.197/otlp_cumulative"]
)
def test_a_total_sent_again_replaces_the_one_before(name: str) -> None:
    case = GOLDEN / "otlp" / name
    lines = [line for each in requests(case, METRICS) for line in each.statements]
    standing = latest(lines)
    cost = sum(line.stated_cost for line in standing)

    assert len(standing) < len(lines) or name == "2.1.330/otlp_cumulative"
    assert sums(line.models[0].usage for line in standing) == [2003, 103, 4606, 80003]
    assert PICO_PER_USD * 5 // 100 < cost < PICO_PER_USD * 9 // 100


@every_case
def test_transcripts_and_telemetry_of_one_run_count_once(
    case: Path, tmp_path: Path
) -> None:
    rater = Rater(load_catalogue())
    store = SqliteStore(tmp_path / "ledger.db", rater, rater.version)
    folder = GOLDEN / "claude_code" / case.parent.name / case.name / "transcripts"
    events = expected(case).log[1]
    told = batches(case, LOGS, TRACES)

    store.append(told[:1], now=RECORDED)  # one before the transcripts, the rest after
    scan(TranscriptFolders([folder]), store, now=lambda: RECORDED)
    store.append(told, now=RECORDED)

    once = [max(pair) for pair in zip(events, transcript(case), strict=True)]
    if case.name == "otlp_503":
        once = transcript(case)
    if case.name == UNNAMED:
        once = [2 * count for count in once]
    assert counted(store) == once
    assert store.verify() == []
    store.close()


@every_case
def test_events_and_spans_of_one_run_count_once(case: Path) -> None:
    rater = Rater(load_catalogue())
    store = MemoryStore(rater, rater.version)
    store.append(batches(case, LOGS, TRACES, LOGS), now=RECORDED)
    events, repeats = expected(case).log[1], case.name == "otlp_503"

    assert counted(store) == (transcript(case) if repeats else events)


def test_the_spans_of_a_run_hold_its_requests() -> None:
    [heard] = requests(GOLDEN / "otlp/2.1.197/otlp_traces", TRACES)
    usages = [seen.parts[0].usage for seen in heard.observations]

    assert sums(usages) == [3006, 156, 4608, 80004]
    assert [seen.agent for seen in heard.observations].count(None) == 3
    assert all(seen.evidence == Evidence.REPORTED for seen in heard.observations)


def test_bodies_join_both_ids_and_leave_no_word_behind() -> None:
    case = GOLDEN / "otlp/2.1.330/otlp_prompts"
    raw = b"".join(path.read_bytes() for path in case.glob("*.json"))
    heard = requests(case, LOGS)
    joined = {
        seen.request_id: seen.message_id
        for each in heard
        for seen in each.observations
        if seen.message_id
    }
    kept = msgspec.json.encode(
        [(each.observations, each.statements, list(each.findings)) for each in heard]
    )

    assert joined == {
        "req_mock00000000000000000001": "msg_mock00000000000000000001",
        "req_mock00000000000000000002": "msg_mock00000000000000000002",
    }
    for canary in (b"SECRETPROMPT", b"mock upstream", b"bash_command", b"REDACTED"):
        assert canary not in kept
    assert b"SECRETPROMPT" in raw
    assert b"bash_command" in raw


def test_a_python_program_states_its_own_counters() -> None:
    heard = requests(GOLDEN / "otlp/python", METRICS)
    lines = [line for each in heard for line in each.statements]

    assert [line.models[0].usage for line in lines] == [
        {"uncached_input_tokens": 5}
    ] * len(lines)
    assert len(lines) > 0
