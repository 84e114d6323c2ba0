"""The query API: every question, with its parameters and the shape of its answer.

Questions are under the scope ``read``. A key that is limited to projects sees these and
nothing else; to ask for another one is 403.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
from starlette.requests import Request as PageRequest
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.routing import Route as Page

from tollbook.http.exchange import Answer, Handler, Request, Route, Services
from tollbook.http.query_desk import FILTERS, Asked, Desk
from tollbook.http.query_event_shape import EventAnswer
from tollbook.http.query_events import EVENTS, event, events
from tollbook.http.query_lists import PROBLEMS, coverage, models, problems, projects
from tollbook.http.query_parameters import Parameter, parse_query
from tollbook.http.query_percentiles import PERCENTILES, percentiles
from tollbook.http.query_period import PERIOD
from tollbook.http.query_plain import COSTS, METRICS, costs, metrics
from tollbook.http.query_shapes import (
    CostsAnswer,
    CoverageAnswer,
    EventsAnswer,
    MetricsAnswer,
    ModelsAnswer,
    PercentilesAnswer,
    ProblemsAnswer,
    ProjectsAnswer,
    SeriesAnswer,
    TopAnswer,
    TotalsAnswer,
)
from tollbook.http.query_sums import SERIES, TOP, series, top, totals
from tollbook.render.prometheus import MEDIA_TYPE

_encode = msgspec.json.Encoder().encode


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One question that may be asked with ``GET``."""

    path: str
    text: str  # what it tells, one sentence
    ask: Callable[[Asked, Desk], Any]
    answer: type[msgspec.Struct]
    parameters: tuple[Parameter, ...] = ()
    path_parameters: tuple[Parameter, ...] = ()
    may_be_text: bool = False  # without its parameters it answers in Prometheus' format


_CHOSEN = (*PERIOD, *FILTERS)
QUESTIONS = (
    Question(
        path="/v1/totals",
        text="What was used and what it cost, in all.",
        ask=totals,
        answer=TotalsAnswer,
        parameters=_CHOSEN,
    ),
    Question(
        path="/v1/series",
        text="The same by hour, day, week or month, and by any dimension.",
        ask=series,
        answer=SeriesAnswer,
        parameters=(*SERIES, *_CHOSEN),
    ),
    Question(
        path="/v1/top",
        text="The dearest or busiest of a dimension.",
        ask=top,
        answer=TopAnswer,
        parameters=(*TOP, *_CHOSEN),
    ),
    Question(
        path="/v1/percentiles",
        text="Exact percentiles of what requests or sessions cost, used or took.",
        ask=percentiles,
        answer=PercentilesAnswer,
        parameters=(*PERCENTILES, *_CHOSEN),
    ),
    Question(
        path="/v1/events",
        text="Single responses and failed requests, page by page.",
        ask=events,
        answer=EventsAnswer,
        parameters=(*EVENTS, *_CHOSEN),
    ),
    Question(
        path="/v1/events/{id}",
        text="One response with its observations side by side and its price lines.",
        ask=event,
        answer=EventAnswer,
        path_parameters=(
            Parameter(
                name="id",
                text="The id of an event, or a message or request id.",
                required=True,
            ),
        ),
    ),
    Question(
        path="/v1/problems",
        text="Input that could not be used, and where it is.",
        ask=problems,
        answer=ProblemsAnswer,
        parameters=PROBLEMS,
    ),
    Question(
        path="/v1/coverage",
        text="Which sources reported when, and what is known to be missing.",
        ask=coverage,
        answer=CoverageAnswer,
    ),
    Question(
        path="/v1/projects",
        text="Every project that is registered or has usage.",
        ask=projects,
        answer=ProjectsAnswer,
    ),
    Question(
        path="/v1/models",
        text="Every model that answered.",
        ask=models,
        answer=ModelsAnswer,
    ),
    Question(
        path="/metrics",
        text="What a project used; without a project, everything for Prometheus.",
        ask=metrics,
        answer=MetricsAnswer,
        parameters=METRICS,
        may_be_text=True,
    ),
    Question(
        path="/costs",
        text="What each day and each provider cost.",
        ask=costs,
        answer=CostsAnswer,
        parameters=COSTS,
    ),
)


def query_routes(desk: Desk) -> tuple[Route, ...]:
    """Every question with an address of its own."""
    return tuple(
        Route(
            method="GET",
            path=question.path,
            handle=_handler(question, desk),
            scope="read",
            body_max=0,
        )
        for question in QUESTIONS
        if not question.path_parameters
    )


def query_pages(desk: Desk) -> list[BaseRoute]:
    """The others, as routes of Starlette's: below the gate, under the scope ``read``."""
    return [
        Page(question.path, _page(question, desk), methods=["GET"])
        for question in QUESTIONS
        if question.path_parameters
    ]


def _handler(question: Question, desk: Desk) -> Handler:
    async def handle(request: Request, services: Services) -> Answer:
        asked = Asked(
            values=parse_query(request.query, question.parameters),
            key=request.key,
            origin=request.origin,
            now=services.clock(),
        )
        return await desk.answer(partial(_answer, question, asked, desk))

    return handle


def _page(
    question: Question, desk: Desk
) -> Callable[[PageRequest], Awaitable[Response]]:
    async def page(request: PageRequest) -> Response:
        asked = Asked(
            values=parse_query(request.scope["query_string"], question.parameters),
            path=request.path_params,
            key=request.state.key,
            origin=request.state.origin,
            now=desk.services.clock(),
        )
        answer = await desk.answer(partial(_answer, question, asked, desk))
        return Response(answer.body, media_type=answer.media_type)

    return page


def _answer(question: Question, asked: Asked, desk: Desk) -> Answer:
    """The answer, written beside the event loop, too."""
    found = question.ask(asked, desk)
    if isinstance(found, str):
        return Answer(body=found.encode(), media_type=MEDIA_TYPE)
    return Answer(body=_encode(found))
