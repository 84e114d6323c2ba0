"""From what an answer said to how well its usage is known."""

from __future__ import annotations

import re

import msgspec

from tollbook.core.observation import Evidence
from tollbook.formats.metered import Ended, Metered, OutputChars, State
from tollbook.formats.usage_so_far import UsageSoFar

_REFUSAL = "refusal"
ERROR_STATUS = 400
_REASON = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What was heard of an answer besides its counts."""

    ended: Ended
    message_id: str | None
    model: str | None
    stop_reason: str | None
    stopped: bool  # it said itself that it is over
    failed: bool  # it said that something went wrong
    began: bool  # there was something of an answer
    error_type: str | None
    seen_in: tuple[str, ...]
    lacked: tuple[str, ...]
    output_chars: OutputChars
    plain: bool = True  # no tool ran at the provider, nothing was compacted
    status: int = 200


def judge(heard: Heard, usage: UsageSoFar) -> Metered:
    """The answer's usage and its state."""
    parts = usage.parts(heard.model or "")
    over = heard.stopped or (heard.ended is Ended.WHOLE and bool(heard.stop_reason))
    final = usage.output_is_final and over and not heard.failed
    evidence, lesser = usage.evidence(parts, final=final, plain=heard.plain)
    state = _state(heard, evidence, whole=final and usage.is_whole)
    return Metered(
        state=state,
        message_id=heard.message_id or None,
        model=heard.model,
        stop_reason=heard.stop_reason,
        parts=parts,
        conditions=usage.conditions(),
        evidence=evidence,
        lesser=lesser,
        seen_in=heard.seen_in,
        lacked=heard.lacked,
        output_chars=heard.output_chars,
        error_type=heard.error_type,
        failure=_failure(heard) if state is State.FAILED else None,
        flags=tuple(sorted(usage.flags)),
    )


def _state(heard: Heard, evidence: int, *, whole: bool) -> State:
    if heard.status >= ERROR_STATUS or (heard.failed and not heard.began):
        return State.FAILED
    if whole:
        return State.REFUSED if heard.stop_reason == _REFUSAL else State.COMPLETE
    if heard.ended is Ended.LEFT:
        return State.ABORTED
    return State.PARTIAL if evidence > Evidence.MISSING else State.MISSING


def _failure(heard: Heard) -> str:
    """The status, or the error's name where the status claims success."""
    if heard.status >= ERROR_STATUS:
        return str(heard.status)
    kind = heard.error_type or ""
    return kind if _REASON.fullmatch(kind) else "error"
