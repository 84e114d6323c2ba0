"""The rules of ``tollbook.core.identity``: which observations mean one response."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from strategies import OBSERVATIONS, START
from tollbook.core.identity import (
    Identity,
    IdentityKind,
    identify,
    looks_like_the_providers,
    own_id,
)
from tollbook.core.observation import Conditions, Observation, Part

SEEN = Observation(
    message_id="msg_01" + "A" * 22,
    request_id="req_1",
    session="s",
    first_at=START,
    at=START,
    line=1,
    parts=(Part("claude-large", {}),),
    conditions=Conditions(),
)


def identity(**changes: object) -> Identity:
    """How ``SEEN`` with changes is known."""
    return identify(msgspec.structs.replace(SEEN, **changes))


def test_a_message_id_decides_whatever_stands_beside_it() -> None:
    aside = identity(request_id="req_2", session="t", first_at=START + 1)

    assert aside == identity()
    assert aside.kind == IdentityKind.MESSAGE


def test_without_a_message_id_the_request_decides() -> None:
    assert identity(message_id=None) == Identity(IdentityKind.REQUEST, "req_1")
    assert identity(message_id="") == Identity(IdentityKind.REQUEST, "req_1")


def test_a_constant_foreign_message_id_proves_nothing() -> None:
    one = identity(message_id="chatcmpl-1")

    assert one == Identity(IdentityKind.REQUEST, "req_1")
    assert one != identity(message_id="chatcmpl-1", request_id="req_2")


def test_where_nothing_else_is_known_session_and_time_decide() -> None:
    known = {"message_id": "constant", "request_id": None}
    one = identity(**known)

    assert one == identity(**known)
    assert one.kind == IdentityKind.MOMENT
    assert one != identity(**known, session="t")
    assert one != identity(**known, first_at=START + 1)
    assert one != identity(message_id="other", request_id=None)


@pytest.mark.parametrize(
    "text",
    [
        "msg_01XFDUDYJgAACzvnptvVoYEL",
        "msg_mock00000000000000000001",
        "msg_bdrk_01XFDUDYJgAACzvnptvVoYEL",
        "msg_vrtx_01XFDUDYJgAACzvnptvVoYEL",
    ],
)
def test_the_providers_ids_are_known_by_their_looks(text: str) -> None:
    assert looks_like_the_providers(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "msg_1",
        "msg_",
        "msg_" + "A" * 100,
        "msg_01" + "\u00e9" * 22,
        "msg_01XFDUDYJgAACzvnptvVoYEL\n",
        "msg_01XFDUDYJgAACzv nptvVoYEL",
        "chatcmpl-01XFDUDYJgAACzvnptvVoYEL",
        "0f8e7a52-8f0a-4d7b-9f35-1f2f3a4b5c6d",
    ],
)
def test_other_programs_ids_are_not_taken_for_the_providers(text: str) -> None:
    assert not looks_like_the_providers(text)


@given(seen=OBSERVATIONS)
def test_every_observation_has_one_identity(seen: Observation) -> None:
    assert identify(seen) == identify(msgspec.structs.replace(seen, line=99))


@given(one=st.tuples(st.text(), st.text()), other=st.tuples(st.text(), st.text()))
@example(one=("a", "b:c"), other=("a:b", "c"))
@example(one=("a:b", ""), other=("a%3Ab", ""))
def test_no_project_can_spell_the_ids_of_another(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    assert (own_id(*one) == own_id(*other)) == (one == other)
