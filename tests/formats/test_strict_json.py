"""tollbook.formats.strict_json: what was read says all that was sent."""

from __future__ import annotations

import msgspec
import pytest

from tollbook.formats.ingest_record import Record
from tollbook.formats.strict_json import lost_nothing, says_twice
from tollbook.formats.transcript_lines import Usage

COUNTS = {"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": 3}


def kept(text: bytes, shape: type) -> bool:
    return lost_nothing(
        text, msgspec.json.encode(msgspec.json.decode(text, type=shape))
    )


def test_what_is_known_is_kept_and_what_is_not_is_missed() -> None:
    assert kept(msgspec.json.encode(COUNTS), Usage)
    assert not kept(msgspec.json.encode(COUNTS | {"colour": 1}), Usage)


@pytest.mark.parametrize("fields", Usage.__struct_fields__)
def test_a_name_given_twice_hides_behind_no_field_that_was_left_out(
    fields: str,
) -> None:
    """However many of the fields of a usage object are there."""
    number = Usage.__struct_fields__.index(fields)
    texts = [f'"{name}":null' for name in Usage.__struct_fields__[:number]]
    inner = ",".join(['"input_tokens":1', *texts])
    text = f'{{"model":"m","usage":{{{inner},"input_tokens":2}}}}'.encode()

    assert not kept(text, Record)
    assert says_twice(text)


def test_an_escaped_colon_is_a_colon() -> None:
    assert not says_twice(rb'{"a":"\u003a\u003A"}')
    assert not says_twice(rb'{"a":"\\u003a"}')
    assert says_twice(rb'{"a":"\u003a","a":1}')
