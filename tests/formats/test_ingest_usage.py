"""tollbook.formats.ingest_usage: what a record counts, whichever words it uses."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbook.core.observation import Part
from tollbook.core.units import COUNT_MAX
from tollbook.formats.ingest_record import Record, RecordError
from tollbook.formats.ingest_usage import count

SMALL = st.integers(0, 1_000)
MAYBE = st.none() | SMALL


def counted(**fields: object) -> tuple[Part, ...]:
    return count(msgspec.convert({"model": "m"} | fields, Record))


def usage(**fields: object) -> dict[str, int]:
    [part] = counted(**fields)
    return part.usage


def refused(**fields: object) -> RecordError:
    with pytest.raises(RecordError) as caught:
        counted(**fields)
    return caught.value


def test_what_is_not_said_is_not_counted() -> None:
    assert usage() == {}
    assert usage(cache_read_input_tokens=None, cache_creation=None) == {}
    assert usage(input_tokens=0) == {"uncached_input_tokens": 0}


@given(SMALL, MAYBE, MAYBE, MAYBE)
def test_input_is_the_same_however_the_cache_is_counted(
    uncached: int, read: int | None, minutes: int | None, hour: int | None
) -> None:
    """A sender that includes the cache means the same as one that does not."""
    cache = {
        "cache_read_input_tokens": read,
        "cache_write_5m_tokens": minutes,
        "cache_write_1h_tokens": hour,
    }
    whole = uncached + sum(n or 0 for n in cache.values())

    apart = usage(input_tokens=uncached, **cache)
    together = usage(input_tokens=whole, input_tokens_include_cache=True, **cache)

    assert apart == together
    assert sum(apart.values()) == whole


@given(MAYBE, MAYBE, SMALL)
def test_writes_are_never_fewer_than_any_field_says(
    minutes: int | None, hour: int | None, total: int
) -> None:
    split = {"ephemeral_5m_input_tokens": minutes, "ephemeral_1h_input_tokens": hour}
    found = usage(cache_creation=split, cache_creation_input_tokens=total)

    assert found["cache_write_1h_tokens"] == (hour or 0)
    assert found["cache_write_5m_tokens"] >= (minutes or 0)
    assert sum(found.values()) == max(total, (minutes or 0) + (hour or 0))


def test_fields_that_contradict_each_other_are_refused_by_name() -> None:
    writes = {"cache_write_5m_tokens": 1, "cache_creation_input_tokens": 2}

    assert refused(input_tokens=1, uncached_input_tokens=2).path == (
        "uncached_input_tokens"
    )
    assert refused(**writes).path == "cache_creation"
    less = {"input_tokens": 1, "cache_read_input_tokens": 2}
    assert refused(**less, input_tokens_include_cache=True).path == "input_tokens"


def test_a_whole_usage_object_stands_alone() -> None:
    whole = {"input_tokens": 1, "output_tokens": 2}

    found = usage(usage=whole)
    assert {unit: n for unit, n in found.items() if n} == {
        "uncached_input_tokens": 1,
        "output_tokens": 2,
    }
    for name in ("output_tokens", "cache_write_1h_tokens"):
        assert refused(usage=whole, **{name: 2}).path == name
    split = {"cache_creation": {"ephemeral_5m_input_tokens": 1}}
    assert refused(usage=whole, **split).path == "cache_creation"


def test_tools_of_the_object_and_of_the_record_are_one_list() -> None:
    """They belong to the answer, or to the first part where there is none."""
    step = {"input_tokens": 1, "output_tokens": 2}
    steps = [step | {"type": "compaction"}, step | {"type": "message"}]
    tools = {"server_tool_use": {"web_search_requests": 3}}
    more = {"server_tool_use": {"web_fetch_requests": 4}}

    first, second = counted(usage=step | tools | {"iterations": steps}, **more)
    alone = counted(usage=step | {"iterations": steps[:1]}, **more)

    assert "web_search_requests" not in first.usage
    assert (
        second.usage["web_search_requests"],
        second.usage["web_fetch_requests"],
    ) == (
        3,
        4,
    )
    assert alone[0].usage["web_fetch_requests"] == 4


@pytest.mark.parametrize(
    ("tools", "path"),
    [
        ({"x": True}, "server_tool_use.x"),
        ({"x": -1}, "server_tool_use.x"),
        ({"x": COUNT_MAX + 1}, "server_tool_use.x"),
        ({"x y": "1"}, "server_tool_use"),
        ({"x-y": 1}, "server_tool_use"),
        ({f"t{n}": 1 for n in range(18)}, "server_tool_use"),
    ],
)
def test_a_counter_of_a_tool_is_a_count_with_a_name(
    tools: dict[str, object], path: str
) -> None:
    error = refused(server_tool_use=tools)

    assert (error.code, error.path) == ("record-shape", path)


def test_a_counter_that_says_nothing_is_left_out() -> None:
    assert usage(server_tool_use={"a": None, "b": 0, "n" * 70: 1}) == {"n" * 64: 1}
    assert refused(web_search_requests=1, server_tool_use={"web_search_requests": 2})
