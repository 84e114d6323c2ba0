"""``tollbook.core.problem``: what could not be used, and where it is."""

from __future__ import annotations

from tollbook.core.problem import Problem


def test_problems_are_listed_by_file_and_line() -> None:
    found = [
        Problem(origin=origin, line=line, code="line-not-json", message="cut")
        for origin, line in (("b", 1), ("a", 10), ("a", 9))
    ]

    assert [(p.origin, p.line) for p in sorted(found)] == [
        ("a", 9),
        ("a", 10),
        ("b", 1),
    ]
