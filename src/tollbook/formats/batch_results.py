"""The results of a message batch: one JSON object a line, in any order.

::

    {"custom_id": "r-17", "result": {"type": "succeeded", "message": {…a message…}}}
    {"custom_id": "r-18", "result": {"type": "errored", "error": {"type": "error",
     "error": {"type": "invalid_request_error", …}, "request_id": "req_…"}}}
    {"custom_id": "r-19", "result": {"type": "expired"}}

Only what succeeded is billed, at the batch tier (documented at
https://platform.claude.com/docs/en/build-with-claude/batch-processing, read 2026-08-21).
The same results may be fetched again: each line keeps its identity.
"""

from __future__ import annotations

import msgspec

from tollbook.core.identity import looks_like_the_providers, own_id
from tollbook.core.observation import Conditions, Instant, Observation, Part
from tollbook.core.problem import Problem
from tollbook.formats.lenient_json import NOT_JSON
from tollbook.formats.messages_body import meter_body
from tollbook.formats.messages_shapes import Name
from tollbook.formats.metered import Metered

LINE_MAX = 8_388_608  # bytes; a longer line is a problem, and passed over
BATCH_TIER = "batch"
_SUCCEEDED = "succeeded"


class _Result(msgspec.Struct, gc=False):
    type: Name
    message: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


class _Line(msgspec.Struct, gc=False):
    custom_id: Name
    result: _Result


_decode = msgspec.json.Decoder(_Line).decode


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """Whose results they are, and when they were fetched."""

    batch: str  # the batch's id, or the path of its results
    at: Instant
    project: str | None = None
    key: str | None = None
    app: str | None = None
    user: str | None = None
    tags: tuple[tuple[str, str], ...] = ()


class BatchResults:
    """Reads results as their bytes come in; ``problems`` has what it could not use."""

    def __init__(self, fetched: Fetched) -> None:
        self._fetched = fetched
        self._rest = bytearray()
        self._skips = False  # within a line that is too long
        self._number = 0
        self.problems: list[Problem] = []

    def feed(self, chunk: bytes) -> list[Observation]:
        """What the lines say that end in a chunk."""
        *whole, rest = chunk.split(b"\n")
        said = []
        for line in whole:
            said += self._end_line(line)
        self._hold(rest)
        return said

    def close(self) -> list[Observation]:
        """What a last line says that has no end."""
        return self._end_line(b"") if self._rest or self._skips else []

    def _hold(self, piece: bytes) -> None:
        if len(self._rest) + len(piece) > LINE_MAX:
            self._skips = True
            self._rest.clear()
        elif not self._skips:
            self._rest += piece

    def _end_line(self, piece: bytes) -> list[Observation]:
        self._number += 1
        self._hold(piece)
        line, skips = bytes(self._rest), self._skips
        self._rest.clear()
        self._skips = False
        if skips:
            self._refuse("line-too-long", "the result is too long; read it by hand")
            return []
        if not line or line.isspace():
            return []
        try:
            said = _decode(line)
        except NOT_JSON:
            self._refuse("line-not-json", "this is no batch result; fetch it again")
            return []
        return [self._observation(said)]

    def _refuse(self, code: str, message: str) -> None:
        self.problems.append(
            Problem(
                origin=self._fetched.batch,
                line=self._number,
                code=code,
                message=message,
            )
        )

    def _observation(self, line: _Line) -> Observation:
        result = line.result
        if result.type == _SUCCEEDED:
            return self._said(line, meter_body(bytes(result.message)), None)
        metered = meter_body(bytes(result.error))
        return self._said(line, metered, metered.error_type or result.type)

    def _said(self, line: _Line, metered: Metered, failure: str | None) -> Observation:
        given = self._fetched
        message_id = metered.message_id
        known = message_id is not None and looks_like_the_providers(message_id)
        own = own_id(given.project, f"{given.batch}:{line.custom_id}")
        return Observation(
            message_id=message_id if known else None,
            request_id=None if known else own,
            session=None,
            first_at=given.at,
            at=given.at,
            line=self._number,
            parts=metered.parts or (Part("", {}),),
            conditions=Conditions(
                BATCH_TIER, metered.conditions.speed, metered.conditions.inference_geo
            ),
            evidence=metered.evidence,
            lesser=metered.lesser,
            project=given.project,
            app=given.app,
            user=given.user,
            key=given.key,
            tags=given.tags,
            failure=failure,
        )
