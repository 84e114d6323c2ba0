"""What may be sent, and what is open to everybody: the routes that ask no question."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tollbook.formats.cloudevents import BATCH, STRUCTURED, CloudEvent
from tollbook.formats.ingest_record import Record
from tollbook.formats.push import Reply as PushReply
from tollbook.http.exchange import JSON
from tollbook.http.ingest import Result, Results

NDJSON = "application/x-ndjson"
PROTOBUF = "application/x-protobuf"
MSGPACK = "application/msgpack"
BYTES = "application/octet-stream"

Schema = Mapping[str, object]
_ANYTHING: Schema = {"type": "object"}
_BYTES: Schema = {"type": "string", "format": "binary"}
_TEXT: Schema = {"type": "string"}


class Either(msgspec.Struct, frozen=True):
    """One of two shapes."""

    one: type
    other: type


class Several(msgspec.Struct, frozen=True):
    """One of a shape, or a list of it."""

    shape: type


Shape = type | Several | Either | Schema


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A success."""

    text: str
    shape: Shape
    media_types: tuple[str, ...] = (JSON,)


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """One route."""

    method: str = "POST"
    path: str
    text: str
    scope: str | None = "ingest"
    bodies: Mapping[str, Shape] = {}
    replies: Mapping[int, Reply]
    refusals: tuple[int, ...] = ()
    refusal: Shape | None = None  # its own shape of what is refused
    refusal_types: tuple[str, ...] = (JSON,)  # the media types of that


class Status(msgspec.Struct, frozen=True):
    """How the server is."""

    status: str


class RpcStatus(msgspec.Struct, frozen=True):
    """A ``google.rpc.Status``: what an exporter reads when it is refused."""

    code: int
    message: str


_RECORDS: Mapping[str, Shape] = {
    JSON: Several(Record),
    NDJSON: _TEXT,
    STRUCTURED: CloudEvent,
    BATCH: {"type": "array", "items": _ANYTHING},
}
_TAKEN = {
    200: Reply(text="Nothing new: all of it was known.", shape=Either(Result, Results)),
    201: Reply(text="All of it is durable.", shape=Either(Result, Results)),
    207: Reply(text="Some were refused; the others are durable.", shape=Results),
}
INPUTS = (
    Input(
        path="/ingest",
        text="Report one response or several.",
        bodies=_RECORDS,
        replies=_TAKEN,
        refusals=(422,),
    ),
    Input(
        path="/v1/events",
        text="Report responses in batches, also as CloudEvents.",
        bodies=_RECORDS,
        replies=_TAKEN,
        refusals=(422,),
    ),
    *(
        Input(
            path=f"/v1/{signal}",
            text=f"Export {signal} over OTLP.",
            bodies={PROTOBUF: _BYTES, JSON: _ANYTHING},
            replies={
                200: Reply(
                    text="Durable; what could not be used is counted.",
                    shape=_ANYTHING,
                    media_types=(JSON, PROTOBUF),
                )
            },
            refusal=RpcStatus,
            refusal_types=(JSON, PROTOBUF),
        )
        for signal in ("logs", "metrics", "traces")
    ),
    Input(
        path="/v1/observations",
        text="Send what another ledger knows (`tollbook push`).",
        bodies={MSGPACK: _BYTES, BYTES: _BYTES},
        replies={
            200: Reply(text="All that could be used is durable.", shape=PushReply)
        },
    ),
)
OPEN = (
    Input(
        method="GET",
        path="/healthz",
        text="Whether the server is alive.",
        scope=None,
        replies={200: Reply(text="It is.", shape=Status)},
    ),
    Input(
        method="GET",
        path="/readyz",
        text="Whether it can take something in.",
        scope=None,
        replies={200: Reply(text="It can.", shape=Status)},
    ),
    Input(
        method="GET",
        path="/openapi.json",
        text="This description.",
        scope=None,
        replies={200: Reply(text="OpenAPI 3.1.", shape=_ANYTHING)},
    ),
    Input(
        method="GET",
        path="/docs",
        text="The same, to be read.",
        scope=None,
        replies={
            200: Reply(text="A page.", shape=_TEXT, media_types=("text/html",)),
        },
    ),
    Input(
        method="GET",
        path="/docs.css",
        text="How that page looks.",
        scope=None,
        replies={
            200: Reply(text="A style sheet.", shape=_TEXT, media_types=("text/css",)),
        },
    ),
)
