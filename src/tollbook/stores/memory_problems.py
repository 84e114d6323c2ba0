"""How the in-memory store tells problems that stand from those that are history."""

from __future__ import annotations

from collections.abc import Iterable

from tollbook.core.problem import Problem
from tollbook.ports import Batch

Key = tuple[str, int, str]
"""Origin, line and code."""

Problems = dict[Key, tuple[str, Problem]]
"""Which origin's read told it, and the problem."""


def standing(batches: Iterable[Batch]) -> Problems:
    """The problems that stand after some batches."""
    problems: Problems = {}
    for batch in batches:
        note_problems(problems, batch)
    return problems


def note_problems(problems: Problems, batch: Batch) -> int:
    """Add a batch's problems; what its origin's earlier reads said may be history."""
    if batch.afresh or batch.cursor is not None:
        for key, (told_by, _) in list(problems.items()):
            if told_by == batch.origin and (batch.afresh or key[1] == 0):
                del problems[key]
    before = len(problems)
    for problem in batch.problems:
        key = (problem.origin, problem.line, problem.code)
        problems.setdefault(key, (batch.origin, problem))
    return len(problems) - before
