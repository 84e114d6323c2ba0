"""What ``tollbook.formats.lenient_json`` saves of an object with bad fields."""

from __future__ import annotations

import msgspec
import pytest

from tollbook.formats.lenient_json import NOT_JSON, read_leniently


class Inner(msgspec.Struct):
    """An object within."""

    count: int | None = None
    name: str | None = None


class Outer(msgspec.Struct):
    """An object with others."""

    inner: Inner | None = None
    bare: Inner = msgspec.field(default_factory=Inner)
    names: list[str] | None = None


def test_good_fields_are_kept_and_bad_ones_named() -> None:
    text = b'{"inner": {"count": 1.5, "name": "a"}, "names": [7], "other": 3}'
    said, refused = read_leniently(text, Outer)

    assert said == Outer(inner=Inner(name="a"))
    assert refused == ["inner.count", "names"]


def test_a_field_that_is_no_object_is_refused_whole() -> None:
    said, refused = read_leniently(b'{"inner": [], "bare": {"count": "1"}}', Outer)

    assert (said, refused) == (Outer(), ["inner", "bare.count"])


def test_good_json_loses_nothing() -> None:
    text = b'{"inner": {"count": 1}, "bare": {"name": "b"}, "names": ["c"]}'

    assert read_leniently(text, Outer) == (msgspec.json.decode(text, type=Outer), [])


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"a": NaN}', b'{"\xff": 1}'])
def test_what_is_no_object_cannot_be_read(text: bytes) -> None:
    with pytest.raises(NOT_JSON):
        read_leniently(text, Outer)
