"""What there is: problems, coverage, projects and models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tollbook.core.observation import Instant
from tollbook.core.problem import Problem
from tollbook.core.report import Line
from tollbook.core.tally import Tally
from tollbook.http.query_desk import Asked, Desk
from tollbook.http.query_parameters import Parameter, number_of, number_schema, text_of
from tollbook.http.query_shapes import (
    CoverageAnswer,
    ModelRow,
    ModelsAnswer,
    ProblemsAnswer,
    ProblemShape,
    ProjectRow,
    ProjectsAnswer,
    Span,
    row,
)
from tollbook.http.query_sums import largest
from tollbook.ledger.naming import EVER
from tollbook.ledger.query import Ask, Where, add_up, chosen_totals
from tollbook.ledger.report import Books
from tollbook.ports import Total
from tollbook.render.fields import moment

PAGE_MAX = 1_000
OFFSET_MAX = 10**9 - 1

PROBLEMS = (
    Parameter(
        name="limit",
        text="How many problems at most.",
        schema=number_schema(usual=100, most=PAGE_MAX),
    ),
    Parameter(
        name="offset",
        text="How many to leave out: the next of the page before.",
        schema={"type": "integer", "minimum": 0, "maximum": OFFSET_MAX, "default": 0},
    ),
)


def problems(asked: Asked, desk: Desk) -> ProblemsAnswer:
    """What could not be used, by origin and line."""
    limit = number_of(asked.values, "limit", usual=100, most=PAGE_MAX)
    offset = 0
    if text_of(asked.values, "offset") != "0":
        offset = number_of(asked.values, "offset", usual=0, most=OFFSET_MAX)
    found = _problems(asked, desk)
    end = offset + limit
    return ProblemsAnswer(
        count=len(found),
        problems=[
            ProblemShape(
                origin=each.origin,
                line=each.line,
                code=each.code,
                message=each.message,
            )
            for each in found[offset:end]
        ],
        next=end if end < len(found) else None,
    )


def _problems(asked: Asked, desk: Desk) -> list[Problem]:
    """A key that is limited to projects sees only what came in through itself."""
    found = desk.store.problems()
    if asked.key.projects is None:
        return found
    return [problem for problem in found if problem.origin == asked.origin]


def coverage(asked: Asked, desk: Desk) -> CoverageAnswer:
    """Which sources reported when, and what is known to be missing."""
    own = asked.key.projects
    if own is None:
        known = desk.store.coverage()
        spans, responses = known.sources, known.responses
        unrecorded = known.unrecorded_calls
    else:
        where = Where(projects=frozenset(own))
        ask = Ask(buckets=[EVER], where=where)
        totals = chosen_totals(desk.books(asked), ask, "source")
        spans, responses = _spans(totals), sum(t.tally.responses for t in totals)
        calls = desk.store.unrecorded(*EVER)
        unrecorded = sum(call.project in own for call in calls)
    return CoverageAnswer(
        sources={
            name: Span(first_at=moment(first), last_at=moment(last))
            for name, (first, last) in sorted(spans.items())
        },
        responses=responses,
        unrecorded_calls=unrecorded,
        problems=len(_problems(asked, desk)),
    )


def _spans(
    totals: Iterable[Total],
) -> Mapping[str, tuple[Instant | None, Instant | None]]:
    seen: dict[str, list[Instant]] = {}
    for total in totals:
        for source in (total.dimensions["source"] or "").split("+"):
            seen.setdefault(source, []).extend((total.first_at, total.last_at))
    return {source: (min(times), max(times)) for source, times in seen.items()}


def projects(asked: Asked, desk: Desk) -> ProjectsAnswer:
    """Every project that is registered or has usage, the dearest first."""
    books, kinds = desk.books(asked), desk.kinds()
    lines, ids = _by("project", asked, books)
    own = asked.key.projects
    for known in sorted(kinds):
        name = books.naming.project(known)
        if (own is None or known in own) and known not in ids.setdefault(name, []):
            ids[name].append(known)
    idle = ids.keys() - {line.name for line in lines}
    lines += [Line(name=name, used=Tally()) for name in sorted(filter(None, idle))]
    return ProjectsAnswer(
        projects=[
            ProjectRow(
                **row(line, net=books.net),
                ids=ids[line.name],
                path=line.path,
                kind=next((kinds[p] for p in ids[line.name] if p in kinds), None),
            )
            for line in lines
        ]
    )


def models(asked: Asked, desk: Desk) -> ModelsAnswer:
    """Every model that answered, the dearest first."""
    books = desk.books(asked)
    lines, ids = _by("model", asked, books)
    return ModelsAnswer(
        models=[
            ModelRow(
                **row(line, net=books.net),
                ids=ids[line.name],
                family=books.naming.family(line.name),
            )
            for line in lines
        ]
    )


def _by(
    dimension: str, asked: Asked, books: Books
) -> tuple[list[Line], dict[str | None, list[str]]]:
    """A line for each of a dimension, and what sources wrote for it."""
    own = asked.key.projects
    where = Where(projects=None if own is None else frozenset(own))
    ask = Ask(buckets=[EVER], by=dimension, where=where)
    name_of = getattr(books.naming, dimension)
    ids: dict[str | None, list[str]] = {}
    for raw in sorted(
        {t.dimensions[dimension] or "" for t in chosen_totals(books, ask)}
    ):
        known = ids.setdefault(name_of(raw), [])
        if raw:
            known.append(raw)
    lines = add_up(books, ask).lines
    return largest(lines, "cost"), ids
