"""The whole API in OpenAPI 3.1: made from the tables that answer, never beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from tollbook import __version__
from tollbook.http.exchange import JSON
from tollbook.http.openapi_inputs import INPUTS, OPEN, Either, Input, Several, Shape
from tollbook.http.query import QUESTIONS, Question
from tollbook.http.query_parameters import Parameter
from tollbook.render.prometheus import MEDIA_TYPE

Document = dict[str, Any]

_TITLE = "tollbook"
_TEXT = (
    "The ledger of what Claude costs. Money is exact decimal text, instants are UTC "
    "text, and what nobody knows is null, never 0."
)

REFUSALS: Mapping[int, str] = {
    400: "The request is malformed, or comes with two keys.",
    401: "A valid key is needed.",
    403: "The key, the host or the page that asks may not do this.",
    404: "There is no such thing, or the key may not see it.",
    405: "Another method is needed; `Allow` names it.",
    408: "The request took too long to arrive.",
    413: "The body is too large.",
    414: "The address is too long.",
    415: "The media type or the content encoding is none that is understood.",
    421: "The server does not go by this name.",
    422: "A parameter or a record is wrong; the message names it and says what to do.",
    429: "Too many invalid keys came from this address; see `Retry-After`.",
    431: "The head of the request is too large.",
    500: "Something went wrong; the server's log says what.",
    503: "The server cannot answer for now; `Retry-After` says when to try again.",
}
_OF_ALL = (400, 403, 408, 413, 414, 415, 421, 431, 500, 503)
_OF_KEYS = (401, 429)


class Fault(msgspec.Struct):
    """What went wrong: a stable code, and for people where, what and the remedy."""

    code: str
    message: str


class Refusal(msgspec.Struct):
    """The body of every answer that is no success."""

    error: Fault


def document() -> Document:
    """Every route with its parameters, bodies and answers."""
    shapes = _Shapes()
    paths: dict[str, Document] = {}
    for question in QUESTIONS:
        paths.setdefault(question.path, {})["get"] = _question(question, shapes)
    for each in (*INPUTS, *OPEN):
        paths.setdefault(each.path, {})[each.method.lower()] = _input(each, shapes)
    return {
        "openapi": "3.1.0",
        "info": {"title": _TITLE, "version": __version__, "description": _TEXT},
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "tags": [
            {"name": "ask", "description": "Questions; they need the scope `read`."},
            {"name": "report", "description": "Reports; they need the scope `ingest`."},
            {"name": "server", "description": "The server itself; open to everybody."},
        ],
        "paths": paths,
        "components": {
            "schemas": shapes.components,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key `tb_...`; not needed on the server's own "
                    "machine while there are no keys.",
                }
            },
        },
    }


class _Shapes:
    """The schemas of all structs, each where the document keeps it."""

    def __init__(self) -> None:
        said = [
            reply.shape for each in (*INPUTS, *OPEN) for reply in each.replies.values()
        ]
        said += [shape for each in INPUTS for shape in each.bodies.values()]
        said += [each.refusal for each in INPUTS if each.refusal is not None]
        structs = [Refusal, *(question.answer for question in QUESTIONS)]
        structs += [each for shape in said for each in _structs(shape)]
        structs = list(dict.fromkeys(structs))
        found, self.components = msgspec.json.schema_components(
            structs, ref_template="#/components/schemas/{name}"
        )
        self._schemas = dict(zip(structs, found, strict=True))

    def __call__(self, shape: Shape) -> Document:
        """What stands where a shape is meant."""
        if isinstance(shape, Several):
            one = self(shape.shape)
            return {"oneOf": [one, {"type": "array", "items": one}]}
        if isinstance(shape, Either):
            return {"anyOf": [self(shape.one), self(shape.other)]}
        return self._schemas[shape] if isinstance(shape, type) else dict(shape)


def _structs(shape: Shape) -> list[type]:
    """The structs in a shape."""
    match shape:
        case Several(shape=one):
            return [one]
        case Either(one=one, other=other):
            return [one, other]
    return [shape] if isinstance(shape, type) else []


def _question(question: Question, shapes: _Shapes) -> Document:
    content: Document = {JSON: {"schema": shapes(question.answer)}}
    if question.may_be_text:
        content[MEDIA_TYPE] = {"schema": {"type": "string"}}
    statuses = [*_OF_ALL, *_OF_KEYS, 422]
    if question.path_parameters:
        statuses.append(404)
    return {
        "operationId": _name("get", question.path),
        "summary": question.text,
        "tags": ["ask"],
        "parameters": [
            *(_parameter(each, "path") for each in question.path_parameters),
            *(_parameter(each, "query") for each in question.parameters),
        ],
        "responses": {"200": {"description": "The answer.", "content": content}}
        | _refusals(statuses, shapes),
    }


def _input(each: Input, shapes: _Shapes) -> Document:
    statuses = [*_OF_ALL, *each.refusals, *(_OF_KEYS if each.scope else ())]
    found: Document = {
        "operationId": _name(each.method, each.path),
        "summary": each.text,
        "tags": ["report" if each.scope else "server"],
        "responses": {
            str(status): {
                "description": reply.text,
                "content": {
                    media_type: {"schema": shapes(reply.shape)}
                    for media_type in reply.media_types
                },
            }
            for status, reply in each.replies.items()
        }
        | _refusals(statuses, shapes, each),
    }
    if not each.scope:
        found["security"] = []
    if each.bodies:
        found["requestBody"] = {
            "required": True,
            "content": {
                media_type: {"schema": shapes(shape)}
                for media_type, shape in each.bodies.items()
            },
        }
    return found


def _parameter(parameter: Parameter, place: str) -> Document:
    schema: object = dict(parameter.schema)
    if parameter.many:
        schema = {"type": "array", "items": schema, "maxItems": 32}
    found: Document = {
        "name": parameter.name,
        "in": place,
        "description": parameter.text,
        "required": parameter.required,
        "schema": schema,
    }
    return found | {"style": "form", "explode": True} if parameter.many else found


def _refusals(
    statuses: Iterable[int], shapes: _Shapes, each: Input | None = None
) -> Document:
    """Refused by the route in its own shape, or before that in the usual one."""
    content: Document = {JSON: {"schema": shapes(Refusal)}}
    if each is not None and each.refusal is not None:
        either = [shapes(each.refusal), shapes(Refusal)]
        content = {kind: {"schema": {"anyOf": either}} for kind in each.refusal_types}
    return {
        str(status): {"description": REFUSALS[status], "content": content}
        for status in sorted(set(statuses))
    }


def _name(method: str, path: str) -> str:
    """``get_v1_events_id`` for ``GET /v1/events/{id}``."""
    words = path.replace("{", "").replace("}", "").replace(".", "_").split("/")
    return "_".join([method.lower(), *filter(None, words)])
