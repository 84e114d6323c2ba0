"""tollbook.formats.push: no body stops a server, and nothing bad gets in beside good."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import CALLS, OBSERVATIONS, START, STATEMENTS
from tollbook.core.observation import (
    Adjustment,
    Call,
    Conditions,
    ModelTotal,
    Observation,
    Part,
    StatementLine,
)
from tollbook.formats.push import (
    MEMBERS_MAX,
    TEXT_MAX,
    VERSION,
    Parcel,
    ParcelError,
    Rights,
    Sender,
    WireFact,
    encode_item,
    parse_parcel,
    write_parcel,
)

SENDER = Sender(user="ada", machine="laptop")
LIMITED = Rights(key="k1", projects=frozenset({"shop"}))
GOOD = Observation(
    message_id="msg_01" + "A" * 22,
    request_id="req_011CSHoEeqs5C35K2UUqR7Fy",
    session="s",
    first_at=START,
    at=START,
    line=1,
    parts=(Part("claude-large", {"output_tokens": 1}),),
    conditions=Conditions(),
)


MADE = Adjustment(
    run="adj_1", number=1, withdrawn=False, who="ben", at=START, why="", basis="person"
)


def corrected(**more: Any) -> Observation:  # noqa: ANN401 - any field
    """A good adjustment, but for something."""
    made = msgspec.structs.replace(MADE, **more)
    return msgspec.structs.replace(GOOD, adjustment=made)


def changed(**more: Any) -> Observation:  # noqa: ANN401 - any field
    """A good observation, but for something."""
    return msgspec.structs.replace(GOOD, **more)


def parcel_of(
    *items: object, sender: Sender = SENDER, rights: Rights | None = None
) -> Parcel:
    """What a receiver makes of some things."""
    raws: dict[type, list[msgspec.Raw]] = {Observation: [], Call: [], StatementLine: []}
    for item in items:
        raws[type(item)].append(msgspec.Raw(encode_item(item)))
    fact = WireFact(7, "claude-code", "/a.jsonl", *raws.values())
    return parse_parcel(write_parcel(sender, [fact]), rights or Rights())


@given(st.lists(OBSERVATIONS | CALLS | STATEMENTS, max_size=6))
def test_what_is_sent_arrives_with_its_sender(items: list[object]) -> None:
    [piece] = parcel_of(*items).pieces
    arrived = [*piece.observations, *piece.calls, *piece.statements]
    sent = [item for kind in (Observation, Call, StatementLine) for item in items
            if type(item) is kind]  # fmt: skip

    assert piece.origin == "laptop:/a.jsonl"
    for item, found in zip(sent, arrived, strict=True):
        if isinstance(item, Observation) and item.adjustment is None:
            item = msgspec.structs.replace(  # noqa: PLW2901 - as it should arrive
                item, user=item.user or "ada", machine=item.machine or "laptop"
            )
        assert found == item


@given(st.binary(max_size=200))
def test_no_bytes_stop_a_server(body: bytes) -> None:
    with pytest.raises(ParcelError):
        parse_parcel(body, Rights())


@given(st.binary(max_size=40), st.integers(0, 400))
def test_bytes_that_changed_on_the_way_stop_nothing(noise: bytes, at: int) -> None:
    raw = msgspec.Raw(encode_item(GOOD))
    body = write_parcel(SENDER, [WireFact(7, "claude-code", "a", [raw])])
    try:
        found = parse_parcel(body[:at] + noise + body[at + len(noise) :], Rights())
    except ParcelError:
        return
    assert isinstance(found, Parcel)


@pytest.mark.parametrize(
    "wrong",
    [
        changed(at=-1),
        changed(first_at=10**18),
        changed(line=-1),
        changed(evidence=9),
        changed(lesser={"output_tokens": 9}),
        changed(latency_ms=-1),
        changed(stated_cost=2**64 - 1),
        changed(parts=()),
        changed(parts=(Part("m", {"output_tokens": -1}),)),
        changed(parts=(Part("m", {"output_tokens": 2**63}),)),
        changed(parts=(Part("m", {}),) * (MEMBERS_MAX + 1)),
        changed(branch="x" * (TEXT_MAX + 1)),
        changed(tools=("x" * (TEXT_MAX + 1),)),
        changed(tags=(("x", "y" * (TEXT_MAX + 1)),)),
        changed(conditions=Conditions("x" * (TEXT_MAX + 1))),
        Call("x" * (TEXT_MAX + 1), asked=True),
        Call("x", asked=True, at=-1),
        StatementLine("s", -1, 0, ()),
        StatementLine("s", 1, 2**64 - 1, ()),
        StatementLine("s", 1, 1, (ModelTotal("m", {"output_tokens": -1}),)),
        corrected(number=-1),
        corrected(at=-1),
        corrected(who="x" * (TEXT_MAX + 1)),
        corrected(before={"x" * (TEXT_MAX + 1): (1, 4)}),
        corrected(after={"output_tokens": (-1, 4)}),
        corrected(after={"output_tokens": (1, 9)}),
        corrected(after={str(n): (1, 4) for n in range(MEMBERS_MAX + 1)}),
    ],
)
def test_what_is_out_of_bounds_is_refused_alone(wrong: object) -> None:
    found = parcel_of(wrong, GOOD)
    [piece] = found.pieces
    [refused] = found.refused

    assert [seen.message_id for seen in piece.observations] == [GOOD.message_id]
    assert (refused.fact, refused.index) == (7, 0)
    assert refused.code == f"{refused.kind}_bounds"


def test_who_corrects_a_request_does_not_become_who_asked_it() -> None:
    [piece] = parcel_of(corrected(), rights=Rights(key="k1")).pieces
    [seen] = piece.observations

    assert seen.adjustment == MADE
    assert (seen.user, seen.machine, seen.key) == (None, None, None)
    assert seen.project == GOOD.project


def test_what_is_no_fact_is_refused_alone() -> None:
    body = encode_item(
        {"version": VERSION, "machine": "m", "facts": [1, [2, "a", "b"]]}
    )
    found = parse_parcel(body, Rights())

    assert [(each.kind, each.code) for each in found.refused] == [
        ("fact", "fact_shape")
    ]
    assert len(found.pieces) == 1


def test_another_version_is_not_guessed_at() -> None:
    body = encode_item({"version": VERSION + 1, "machine": "m", "facts": []})

    with pytest.raises(ParcelError, match="update the older side"):
        parse_parcel(body, Rights())


def test_a_newer_sender_may_say_more() -> None:
    longer = msgspec.Raw(encode_item([*msgspec.structs.astuple(GOOD), "what is new"]))
    body = write_parcel(SENDER, [WireFact(7, "claude-code", "a", [longer])])

    assert parse_parcel(body, Rights()).refused == []


def test_a_limited_key_reports_for_its_projects_only() -> None:
    call, line = Call("c", asked=True, project="home"), StatementLine("s", 1, 1, ())
    items = (GOOD, changed(project="home"), changed(project="shop"), call, line)
    found = parcel_of(*items, rights=LIMITED)
    kinds = [(each.kind, each.index, each.code) for each in found.refused]

    assert [seen.project for seen in found.pieces[0].observations] == ["shop"]
    assert kinds == [
        ("observation", 0, "project_not_allowed"),
        ("observation", 1, "project_not_allowed"),
        ("call", 0, "project_not_allowed"),
        ("statement", 0, "project_not_allowed"),
    ]


def test_a_project_of_the_push_stands_for_all_others() -> None:
    sender = Sender(machine="m", project="shop")
    items = (
        changed(project="home"),
        Call("c", asked=True),
        StatementLine("s", 1, 1, ()),
    )
    found = parcel_of(*items, sender=sender, rights=LIMITED)
    [piece] = found.pieces

    assert found.refused == []
    assert (piece.observations[0].project, piece.calls[0].project) == ("shop", "shop")
    assert piece.observations[0].key == "k1"
    with pytest.raises(ParcelError, match="may not report"):
        parcel_of(sender=Sender(machine="m", project="other"), rights=LIMITED)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        (GOOD.request_id, GOOD.request_id),
        ("own-1", "shop:own-1"),
        ("shop:own-1", "shop:own-1"),
        (None, None),
    ],
)
def test_ids_of_a_limited_key_cannot_meet_those_of_others(
    name: str | None, kept: str | None
) -> None:
    seen = changed(project="shop", request_id=name)

    [limited] = parcel_of(seen, rights=LIMITED).pieces
    [open_] = parcel_of(seen).pieces

    assert limited.observations[0].request_id == kept
    assert open_.observations[0].request_id == name
