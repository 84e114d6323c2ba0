"""CloudEvents 1.0 around a record (https://github.com/cloudevents/spec, v1.0.2).

Structured, one or a list::

    {"specversion": "1.0", "type": "tollbook.usage", "source": "/shop/eu", "id": "a-1",
     "time": "2026-11-22T10:00:00Z", "data": {"model": "claude-opus-5-5", …}}

or binary: the record is the body, and the rest stands in headers (``ce-id``, …). Source
and id together name an event; they are the record's id where it has none, and ``time``
is its time. Any ``type`` is taken. Extension attributes are left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from tollbook.formats.ingest_body import Kind, Read, UnreadableError
from tollbook.formats.ingest_record import FIELDS, TEXT_MAX, Record

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"

_Attribute = Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_MAX)]
_HEADERS = ("ce-specversion", "ce-id", "ce-source", "ce-type")


class CloudEvent(msgspec.Struct, kw_only=True, gc=False):
    """An event whose ``data`` is a record."""

    specversion: Literal["1.0"]
    id: _Attribute
    source: _Attribute
    type: _Attribute
    data: Record
    time: _Attribute | UnsetType | None = UNSET
    subject: str | UnsetType | None = UNSET
    datacontenttype: str | UnsetType | None = UNSET
    dataschema: str | UnsetType | None = UNSET


def _unknown(plain: dict[str, Any]) -> set[str]:
    data = plain.get("data")
    return set(data.keys() - FIELDS) if isinstance(data, dict) else set()


CLOUDEVENTS = Kind(CloudEvent, _unknown)


def record_of(event: CloudEvent) -> Record:
    """The record, with the event's id and time where it has none of its own."""
    return _named(event.data, event.source, event.id, event.time or None)


def is_binary(headers: Mapping[str, str]) -> bool:
    """Whether a request's headers carry an event."""
    return "ce-specversion" in headers


def name_by_headers(read: Read[Record], headers: Mapping[str, str]) -> None:
    """Give the record of a binary request its id and time.

    Raises:
        UnreadableError: A header lacks, or speaks of another version; or the body is
            a list, which one id cannot name.
    """
    if not read.single:
        message = "one event has one record; send a batch of CloudEvents instead"
        raise UnreadableError(message, code="unreadable_event")
    missing = [name for name in _HEADERS if not headers.get(name)]
    if missing:
        message = f"the header {missing[0]} is not there; CloudEvents need it"
        raise UnreadableError(message, code="unreadable_event")
    if headers["ce-specversion"] != "1.0":
        message = "the header ce-specversion is not 1.0; send that version"
        raise UnreadableError(message, code="unreadable_event")
    if any(len(headers[name]) > TEXT_MAX for name in _HEADERS):
        message = f"a ce- header has over {TEXT_MAX} characters; shorten it"
        raise UnreadableError(message, code="unreadable_event")
    for record in read.items:
        if isinstance(record, Record):
            _named(
                record, headers["ce-source"], headers["ce-id"], headers.get("ce-time")
            )


def _named(record: Record, source: str, mark: str, time: str | None) -> Record:
    if not (record.id or record.idempotency_key):
        record.id = f"{source}#{mark}"
    if not record.timestamp and time:
        record.timestamp = time
    return record
