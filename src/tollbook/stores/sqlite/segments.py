"""The facts of one batch, as bytes and back."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tollbook.core.observation import Call, Observation, StatementLine


class Segment(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The facts of one batch, as they are kept."""

    observations: Sequence[Observation]
    calls: Sequence[Call] = ()
    statements: Sequence[StatementLine] = ()


encode_segment = msgspec.msgpack.Encoder().encode


def decode_segment(body: bytes) -> Segment:
    """The facts in a body; most runs read none, and pay for no decoder.

    Raises:
        msgspec.DecodeError: They are damaged.
    """
    return msgspec.msgpack.decode(body, type=Segment)
