"""What ``tollbook.render.prometheus`` writes can be read by a strict reader."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from prometheus_text import read
from tollbook.render.prometheus import Family, Sample, exposition


def test_the_format_is_what_its_page_shows() -> None:
    family = Family("tollbook_x", "Of\nall \\.", [Sample({"a": 'b"\\\nc'}, "1.5")])

    assert exposition([family, Family("tollbook_y", "One.", [Sample({}, "2")])]) == (
        "# HELP tollbook_x Of\\nall \\\\.\n"
        "# TYPE tollbook_x gauge\n"
        'tollbook_x{a="b\\"\\\\\\nc"} 1.5\n'
        "# HELP tollbook_y One.\n"
        "# TYPE tollbook_y gauge\n"
        "tollbook_y 2\n"
    )


@given(st.dictionaries(st.text(), st.integers(), max_size=5))
def test_no_name_breaks_a_line(samples: dict[str, int]) -> None:
    family = Family(
        "f",
        "x",
        [
            Sample({"n": str(i), "k": k}, str(v))
            for i, (k, v) in enumerate(samples.items())
        ],
    )
    found = read(exposition([family]))

    assert list(found.values()) == list(samples.values())
    for (_, labels), name in zip(found, samples, strict=True):
        if all(char == "\n" or char.isprintable() for char in name):
            assert labels[1] == ("k", name)
