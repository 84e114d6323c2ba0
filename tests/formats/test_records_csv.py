"""tollbook.formats.records_csv: a table with a heading, each row a record."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbook.formats.ingest_record import Record, Refused
from tollbook.formats.records_csv import TableError, is_field, read_rows


def rows(text: str, **columns: str) -> list[tuple[int, Record | Refused]]:
    return list(read_rows(io.StringIO(text, newline=""), columns))


def record(text: str, **columns: str) -> Record:
    [(_, found)] = rows(text, **columns)
    assert isinstance(found, Record), found
    return found


def test_headings_are_fields_unless_a_map_says_otherwise() -> None:
    plain = record("model, output_tokens ,colour\nm,7,red\n")
    mapped = record("Model,Out,model\nm,7,x\n", model="Model", output_tokens="Out")

    assert (plain.model, plain.output_tokens) == ("m", 7)
    assert (mapped.model, mapped.output_tokens) == ("m", 7)


def test_dots_fill_tags_and_metadata() -> None:
    found = record("model,tags.team,tags.tier,metadata.user_id,tags.\nm,pay,1,u,x\n")

    assert found.tags == {"team": "pay", "tier": "1"}
    assert found.metadata == {"user_id": "u"}


def test_an_empty_cell_says_nothing_and_an_empty_row_is_none() -> None:
    found = rows("model,input_tokens,user\nm,,\n,,\n\nm,0, \n")

    assert [number for number, _ in found] == [2, 5]
    first, last = (each for _, each in found)
    assert isinstance(first, Record)
    assert isinstance(last, Record)
    assert not first.input_tokens
    assert (last.input_tokens, last.user) == (0, first.user)


@pytest.mark.parametrize(
    ("row", "code", "path"),
    [
        ("m,x", "record-shape", "input_tokens"),
        ("m,1.5", "record-shape", "input_tokens"),
        ("m,-1", "record-shape", "input_tokens"),
        ("m", "record-shape", ""),
        ("m,1,2", "record-shape", ""),
    ],
)
def test_a_bad_row_spoils_no_other(row: str, code: str, path: str) -> None:
    found = rows(f"model,input_tokens\n{row}\nm,1\n")

    assert isinstance(found[0][1], Refused)
    assert (found[0][0], found[0][1].code, found[0][1].path) == (2, code, path)
    assert isinstance(found[1][1], Record)


@pytest.mark.parametrize(
    ("text", "columns", "said"),
    [
        ("", {}, "no heading"),
        ("\n", {}, "no heading"),
        ("user\nu\n", {}, "no column holds the model"),
        ("a,a\n", {"model": "a"}, "twice"),
        ("a\n", {"model": "b"}, "not there"),
        ('model\n"m\n', {}, "line 2"),
        ('model\n"m"x\n', {}, "sound CSV"),
    ],
)
def test_what_is_no_table_of_records_is_refused(
    text: str, columns: dict[str, str], said: str
) -> None:
    with pytest.raises(TableError, match=said):
        rows(text, **columns)


def test_lists_and_objects_have_no_column() -> None:
    fields = ("model", "tags.team", "metadata.a.b", "uncached_input_tokens")
    others = (
        "",
        "tags",
        "tags.",
        "usage",
        "usage.x",
        "cache_creation",
        "tools",
        "colour",
    )

    assert [name for name in fields if not is_field(name)] == []
    assert [name for name in others if is_field(name)] == []


@given(st.lists(st.text(max_size=8), min_size=1, max_size=4), st.text(max_size=60))
def test_no_table_stops_a_run(heading: list[str], rest: str) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerow(["model", *heading])

    try:
        found = rows(text.getvalue() + rest)
    except TableError as error:
        assert str(error)  # noqa: PT017  # any refusal will do
    else:
        assert all(isinstance(each, Record | Refused) for _, each in found)
