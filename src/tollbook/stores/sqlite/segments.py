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
decode_segment = msgspec.msgpack.Decoder(Segment).decode
