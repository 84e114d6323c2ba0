"""What an answer of the Messages API said about its usage, however it came to an end.

``docs/reference/relay-states.md`` says what each state means and from what it follows.
Nothing here depends on who answered: only the payload decides, and how it ended.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from tollbook.core.observation import Conditions, Evidence, Lesser, Part

UNKNOWN = Conditions()


class State(StrEnum):
    """How much of an answer's usage is known."""

    COMPLETE = "complete"  # every count is final
    PARTIAL = "partial"  # a lower bound: it ended early, or a count is not known
    MISSING = "missing"  # it answered, and said nothing of its usage
    REFUSED = "refused"  # complete, and the model declined
    FAILED = "failed"  # no answer, only an error
    ABORTED = "aborted"  # we stopped reading before the counts were final


class Ended(StrEnum):
    """How the bytes of an answer came to an end."""

    WHOLE = "whole"  # its framing says that this was all
    CUT = "cut"  # the upstream broke off, or sent what cannot be framed
    LEFT = "left"  # we stopped reading: the client went, or a limit was reached


class Flag(StrEnum):
    """What was odd about an answer; none of it stops the reading."""

    BAD_CODING = "bad-coding"  # its content coding is unknown, damaged or too large
    BAD_COUNT = "bad-count"  # a count that cannot be one; it is taken as unknown
    BAD_FIELD = "bad-field"  # another field that cannot be what it says
    BAD_JSON = "bad-json"  # an event or body that is no JSON
    FELL = "fell"  # a later sum of the output is smaller; the larger one stands
    ITERATIONS_BEHIND = "iterations-behind"  # the steps say less than the sums do
    NO_STOP = "no-stop"  # a stream without ``message_stop``
    OVERSIZED = "oversized"  # an event or body too large to be looked into
    SPLIT_EXCEEDS = "split-exceeds"  # more cache writes by lifetime than in all
    ZEROS = "zeros"  # counts of zero where there was something to count


class OutputChars(msgspec.Struct, frozen=True, kw_only=True):
    """How much an answer wrote, in Unicode characters by class of content."""

    text: int = 0
    thinking: int = 0
    tool_input: int = 0  # the JSON text of what tools are called with
    unread_bytes: int = 0  # of events too large to be looked into

    @property
    def total(self) -> int:
        """The characters of all classes."""
        return self.text + self.thinking + self.tool_input


class Metered(msgspec.Struct, frozen=True, kw_only=True):
    """An answer's usage, and how well it is known.

    ``parts``, ``evidence`` and ``lesser`` are an observation's. A count nobody stated is
    absent; without any, the only part is empty and ``evidence`` is ``MISSING``.
    ``seen_in`` names the events that carried usage and ``lacked`` those that came
    without: ``message_start``, ``message_delta``, ``message_stop``, ``other``, or ``body``.
    """

    state: State
    message_id: str | None = None
    model: str | None = None  # as the answer names it; else as it was asked for
    stop_reason: str | None = None
    parts: tuple[Part, ...] = ()
    conditions: Conditions = UNKNOWN
    evidence: int = Evidence.MISSING
    lesser: Lesser | None = None
    seen_in: tuple[str, ...] = ()
    lacked: tuple[str, ...] = ()
    output_chars: OutputChars = OutputChars()
    error_type: str | None = None  # the error's own name: "overloaded_error", ...
    failure: str | None = None  # for ``Observation.failure``; only when FAILED
    flags: tuple[Flag, ...] = ()  # sorted


def unanswered(model: str | None, failure: str) -> Metered:
    """A request that brought no answer at all: no connection, or one that broke first."""
    return Metered(
        state=State.FAILED,
        model=model,
        parts=(Part(model or "", {}),),
        failure=failure,
    )
