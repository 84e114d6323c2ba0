"""``tollbook.core.event_id`` names each event with one text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbook.core.event_id import event_id, moment_of
from tollbook.core.identity import Identity, IdentityKind


def test_the_providers_id_names_an_event() -> None:
    assert event_id(Identity(IdentityKind.MESSAGE, "msg_1")) == "msg_1"
    assert event_id(Identity(IdentityKind.REQUEST, "shop:7")) == "shop:7"


@given(st.text(), st.text(), st.integers(0, 10**15))
def test_what_has_none_goes_by_its_time_and_session(
    name: str, session: str, at: int
) -> None:
    identity = Identity(IdentityKind.MOMENT, name, session, at)

    assert moment_of(event_id(identity)) == identity


@pytest.mark.parametrize("text", ["msg_1", "shop:7", "7:[1,2]", '7:["a"]', "7:[", ""])
def test_other_ids_are_no_moments(text: str) -> None:
    assert moment_of(text) is None
