"""What a console's list says, line by line."""

from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbook.core.problem import Problem
from tollbook.core.units import Unit
from tollbook.formats.console_csv import ConsoleError, ConsoleRow, read_console

HEAD = "request_id,time,model,uncached_input_tokens,output_tokens,cost\n"
MORNING = 1_795_341_600_000  # 2026-11-22T10:00:00Z


def read(
    text: str, columns: dict[str, str] | None = None, zone: ZoneInfo | None = None
) -> list[ConsoleRow | Problem]:
    """Everything of a file."""
    lines = text.splitlines(keepends=True)
    return list(read_console(lines, columns or {}, origin="f", zone=zone or UTC))


def row(text: str, columns: dict[str, str] | None = None) -> ConsoleRow:
    """The only line of a file."""
    (found,) = read(text, columns)
    assert isinstance(found, ConsoleRow), found
    return found


def why(text: str, columns: dict[str, str] | None = None) -> str:
    """Why the only line of a file cannot be used."""
    (found,) = read(text, columns)
    assert isinstance(found, Problem), found
    assert found.code == "console-row"
    return found.message


def test_usual_headings_are_known_whatever_their_spelling() -> None:
    found = row(
        "\ufeffRequest ID,Message-Id,Created At,Account,Model,Input Tokens,"
        "Cached Tokens,Completion Tokens,Amount\n"
        'req_1,msg_1,2026-11-22T10:00:00Z,main,opus,"1,200",7,640,$0.0123\n'
    )

    assert found == ConsoleRow(
        line=2,
        request_id="req_1",
        message_id="msg_1",
        account="main",
        model="opus",
        at=MORNING,
        usage={
            Unit.UNCACHED_INPUT: 1200,
            Unit.CACHE_READ: 7,
            Unit.OUTPUT: 640,
        },
        cost=12_300_000_000,
    )


def test_lines_of_json_say_the_same() -> None:
    found = read(
        '{"request_id": "req_1", "output_tokens": 640, "cost": 0.0123, "model": null}\n'
        "\n"
        '{"request_id": "req_2", "output_tokens": "7"}\n'
        "[1]\n"
        '{"output_tokens": true}\n'
    )

    assert found[:2] == [
        ConsoleRow(
            line=1, request_id="req_1", usage={Unit.OUTPUT: 640}, cost=12_300_000_000
        ),
        ConsoleRow(line=3, request_id="req_2", usage={Unit.OUTPUT: 7}),
    ]
    assert [(p.line, p.message) for p in found[2:] if isinstance(p, Problem)] == [
        (4, "no JSON object of texts and numbers; write one a line"),
        (5, "output_tokens: 'true' is no count; write digits alone"),
    ]


def test_a_map_says_which_column_is_meant() -> None:
    text = "Output,Answer,Id\n1,640,req_1\n"

    assert row(text, {"output_tokens": "Answer"}).usage == {Unit.OUTPUT: 640}
    assert row('{"a": {"b": 1}, "n": 3}', {"output_tokens": "n"}).usage == {
        Unit.OUTPUT: 3
    }


def test_input_that_includes_the_cache_is_taken_apart() -> None:
    columns = {"total_input_tokens": "in", "cache_read_input_tokens": "read"}

    assert row("in,read\n100,60\n", columns).usage == {
        Unit.UNCACHED_INPUT: 40,
        Unit.CACHE_READ: 60,
    }
    assert "less than what was cached" in why("in,read\n10,60\n", columns)
    both = {"total_input_tokens": "in", "uncached_input_tokens": "read"}
    assert "map one of them" in why("in,read\n10,60\n", both)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T10:00:00Z",
        "2026-11-22 11:00:00+01:00",
        "1795341600",
        "1795341600000",
    ],
)
def test_times_are_understood(text: str) -> None:
    assert row(f"time,output\n{text},1\n").at == MORNING


def test_a_time_without_a_zone_is_that_of_the_reader() -> None:
    (found,) = read(
        "time,output\n2026-11-22 11:00:00,1\n", zone=ZoneInfo("Europe/Rome")
    )

    assert isinstance(found, ConsoleRow)
    assert found.at == MORNING


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("req_1,,,,,", "it holds no count; leave it out"),
        ("req_1,,,,x,", "output_tokens: 'x' is no count; write digits alone"),
        ("req_1,,,,-1,", "output_tokens: '-1' is no count; write digits alone"),
        ("req_1,,,,1.5,", "output_tokens: '1.5' is no count; write digits alone"),
        ("req_1,,,,9999999999,", "output_tokens: '9999999999' is no count"),
        ("req_1,soon,,,1,", "time: 'soon' is no time"),
        ("req_1,9999-12-31T23:59:59-23:59,,,1,", None),
        ("req_1,,,,1,1e5", "cost: '1e5' is no amount in USD"),
        ("req_1,,,,1,-3", "cost: '-3' is no amount in USD"),
        ("req_1,,,1", "4 cells under 6 headings; give each its column"),
        ("req\x1b[31m,,,,1,", "request_id: too long, or not plain text; correct it"),
        (f"{'r' * 201},,,,1,", "request_id: too long, or not plain text; correct it"),
    ],
)
def test_what_cannot_be_used_is_told_and_the_rest_is_read(
    line: str, message: str | None
) -> None:
    found = read(f"{HEAD}{line}\n\nreq_2,,,,2,\n")

    assert isinstance(found[-1], ConsoleRow)
    assert found[-1].line == 4
    if message is not None:
        assert isinstance(found[0], Problem)
        assert found[0].message.startswith(message)
        assert (found[0].origin, found[0].line) == ("f", 2)


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("", {}, "no column holds a count"),
        ("id,name\n1,2\n", {}, "no column holds a count"),
        ("a,a\n1,2\n", {"output_tokens": "a"}, "is twice"),
        ("a,b\n1,2\n", {"output_tokens": "c"}, "is not there"),
        ('output\n"1\n', {}, "write sound CSV"),
        (f"output\n{'1' * 200_000}\n", {}, "write sound CSV"),
    ],
)
def test_what_is_no_list_is_refused(
    text: str, columns: dict[str, str], message: str
) -> None:
    with pytest.raises(ConsoleError, match=message):
        read(text, columns)


@given(text=st.text(max_size=200), head=st.sampled_from(["", HEAD, "{", "output\n"]))
def test_no_text_stops_a_run(text: str, head: str) -> None:
    try:
        found = read(head + text)
    except ConsoleError:
        return

    for each in found:
        if isinstance(each, ConsoleRow):
            assert all(0 <= count <= 10**9 for count in each.usage.values())
