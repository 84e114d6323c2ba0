"""tollbook.formats.cloudevents: an envelope names its record, and says nothing else."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from tollbook.formats.cloudevents import (
    CLOUDEVENTS,
    is_binary,
    name_by_headers,
    record_of,
)
from tollbook.formats.ingest_body import RECORDS, UnreadableError, read_json
from tollbook.formats.ingest_record import TEXT_MAX, Record, Refused

EVENT = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "used"}
HEADERS = {f"ce-{name}": value for name, value in EVENT.items()}
TIME = "2026-11-22T10:00:00Z"


def named(headers: Mapping[str, str], **fields: object) -> Record:
    read = read_json(msgspec.json.encode({"model": "m"} | fields), RECORDS)
    name_by_headers(read, headers)
    [record] = read.items
    assert isinstance(record, Record)
    return record


def structured(event: Mapping[str, object]) -> Record | Refused:
    [found] = read_json(msgspec.json.encode(event), CLOUDEVENTS).items
    return found if isinstance(found, Refused) else record_of(found)


@pytest.mark.parametrize("time", [None, TIME])
def test_both_modes_name_a_record_alike(time: str | None) -> None:
    inside = structured(EVENT | {"data": {"model": "m"}, "time": time})
    outside = named(HEADERS | ({"ce-time": time} if time else {}))

    assert inside == outside
    assert outside.id == "/shop#1"
    assert (outside.timestamp or None) == time


@pytest.mark.parametrize("own", ["id", "idempotency_key"])
def test_a_records_own_name_and_time_stand(own: str) -> None:
    fields = {own: "mine", "timestamp": "2026-11-01T00:00:00Z"}
    record = named(HEADERS | {"ce-time": TIME}, **fields)

    assert getattr(record, own) == "mine"
    assert record.id in {"mine", msgspec.UNSET}
    assert record.timestamp == fields["timestamp"]


def test_headers_carry_an_event_when_they_state_its_version() -> None:
    assert is_binary(HEADERS)
    assert not is_binary({"ce-id": "1"})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        *(({name: ""}, f"{name} is not there") for name in HEADERS),
        ({"ce-specversion": "0.3"}, "not 1.0"),
        ({"ce-id": "x" * (TEXT_MAX + 1)}, "shorten"),
    ],
)
def test_headers_that_are_no_event_are_refused(
    change: dict[str, str], said: str
) -> None:
    with pytest.raises(UnreadableError, match=said):
        named(HEADERS | change)


def test_one_id_names_no_list() -> None:
    read = read_json(b'[{"model":"m"}]', RECORDS)

    with pytest.raises(UnreadableError, match="batch"):
        name_by_headers(read, HEADERS)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"id": ""}, "id"),
        ({"source": 1}, "source"),
        ({"data": {"model": 1}}, "data.model"),
        ({"data": "text"}, "data"),
    ],
)
def test_an_event_that_is_none_says_where(change: dict[str, object], path: str) -> None:
    found = structured(EVENT | {"data": {"model": "m"}} | change)

    assert isinstance(found, Refused)
    assert (found.code, found.path) == ("record-shape", path)


def test_extensions_are_left_alone_and_unknown_fields_of_the_record_are_named() -> None:
    event = EVENT | {"traceparent": "00-1", "data": {"model": "m", "colour": "red"}}
    read = read_json(msgspec.json.encode([event, EVENT | {"data": 1}]), CLOUDEVENTS)

    assert list(read.ignored) == ["colour"]
    assert isinstance(read.items[1], Refused)
