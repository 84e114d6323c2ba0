"""What ``tollbook.formats.metered`` and ``tollbook.formats.verdict`` say of an answer."""

from __future__ import annotations

import pytest

from tollbook.core.observation import Evidence, Part
from tollbook.formats.metered import Ended, OutputChars, State, unanswered
from tollbook.formats.transcript_lines import Usage
from tollbook.formats.usage_so_far import UsageSoFar
from tollbook.formats.verdict import Heard, judge


def heard(
    *,
    ended: Ended = Ended.WHOLE,
    stopped: bool = True,
    failed: bool = False,
    began: bool = True,
    reason: str | None = "end_turn",
    status: int = 200,
) -> Heard:
    """An answer with everything, but for what is given."""
    return Heard(
        ended=ended,
        message_id="",
        model="m",
        stop_reason=reason,
        stopped=stopped,
        failed=failed,
        began=began,
        error_type="api_error" if failed else None,
        seen_in=(),
        lacked=(),
        output_chars=OutputChars(),
        status=status,
    )


def usage(*, closing: bool = True) -> UsageSoFar:
    """Everything counted."""
    said = UsageSoFar()
    said.state(Usage(input_tokens=1, output_tokens=2), closing=closing, wrote=True)
    return said


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (heard(), State.COMPLETE),
        (heard(reason="refusal"), State.REFUSED),
        (heard(ended=Ended.CUT), State.COMPLETE),
        (heard(ended=Ended.LEFT), State.COMPLETE),
        (heard(stopped=False), State.COMPLETE),
        (heard(stopped=False, reason=None), State.PARTIAL),
        (heard(stopped=False, ended=Ended.CUT), State.PARTIAL),
        (heard(stopped=False, ended=Ended.LEFT), State.ABORTED),
        (heard(failed=True), State.PARTIAL),
        (heard(failed=True, began=False), State.FAILED),
        (heard(status=500), State.FAILED),
    ],
)
def test_an_answers_state_follows_from_what_it_said_and_how_it_ended(
    answer: Heard, state: State
) -> None:
    assert judge(answer, usage()).state == state


def test_without_counts_an_answer_is_missing_or_aborted() -> None:
    assert judge(heard(), UsageSoFar()).state == State.MISSING
    assert judge(heard(ended=Ended.LEFT), UsageSoFar()).state == State.ABORTED
    assert judge(heard(reason="refusal"), UsageSoFar()).state == State.MISSING


def test_an_id_of_nothing_is_none() -> None:
    assert judge(heard(), usage()).message_id is None


def test_a_request_that_nobody_answered_failed() -> None:
    said = unanswered(None, "connection")

    assert (said.state, said.failure) == (State.FAILED, "connection")
    assert (said.parts, said.evidence) == ((Part("", {}),), Evidence.MISSING)
