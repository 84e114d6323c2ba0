"""What applications report over HTTP, and what they are told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from ingesting import NOW, Desk
from tollbook.core.control import AGENTS, AuditEntry, Key, Project
from tollbook.http.exchange import RefusedError

HOSTILE = Path(__file__).parents[1] / "golden" / "hostile_json"
RECORD = {"project_id": "shop", "model": "claude-opus-5-5", "input_tokens": 1000}
RECORD |= {"output_tokens": 100, "provider": "anthropic"}
BUILT = {
    "deep_open": b"[" * 1_000_000,
    "deep_list": b"[" * 100_000 + b"]" * 100_000,
    "deep_obj": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "many_keys": b'{"events":[{%s}]}'
    % b",".join(b'"k%d":1' % n for n in range(50_000)),
    "many_events": b'{"events":[%s]}'
    % b",".join(
        b'{"id":"m%d","model":"m","input_tokens":1,"output_tokens":1}' % n
        for n in range(20_000)
    ),
    "long_name": b'{"events":[{"id":"e1","model":"%s","input_tokens":1}]}'
    % (b"x" * 100_000),
}
"""Bodies too large to be kept."""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.control.close()


def limited(*projects: str) -> Key:
    return Key(
        id="k1",
        name="app",
        scopes=frozenset({"ingest"}),
        projects=projects,
        created_at=0,
    )


def test_a_record_is_answered_with_its_id_tokens_and_cost(desk: Desk) -> None:
    said = desk.say(RECORD | {"id": "a-1", "cost_usd": "0.5"})

    assert said == (
        201,
        {
            "status": "added",
            "id": "shop:a-1",
            "tokens": 1100,
            "usage": {"uncached_input_tokens": 1000, "output_tokens": 100},
            "cost_usd": "0.006",
            "unpriced": [],
        },
    )


def test_a_repeat_says_so_and_counts_once(desk: Desk) -> None:
    desk.say(RECORD | {"id": "a-1"})
    status, said = desk.say(RECORD | {"id": "a-1"})

    assert (status, said["status"]) == (200, "repeated")
    assert desk.store.coverage().responses in {0, 1}


def test_the_same_id_with_other_content_is_a_conflict_and_says_what_stands(
    desk: Desk,
) -> None:
    desk.say(RECORD | {"id": "a-1"})
    status, said = desk.say(RECORD | {"id": "a-1", "output_tokens": 90})

    assert (status, said["status"]) == (201, "conflict")
    assert said["usage"]["output_tokens"] == 100
    assert "output_tokens" in said["note"]


def test_a_record_without_an_id_and_with_a_time_counts_once(desk: Desk) -> None:
    record = RECORD | {"timestamp": "2026-11-23T10:00:00Z"}

    assert [desk.say(record)[1]["status"] for _ in range(2)] == ["added", "repeated"]


def test_a_record_without_id_and_time_counts_each_time(desk: Desk) -> None:
    assert [desk.say(RECORD)[1]["status"] for _ in range(2)] == ["added", "added"]


def test_an_idempotency_key_holds_for_every_record_of_a_batch(desk: Desk) -> None:
    first = desk.say([RECORD, RECORD], idempotency_key="k")
    second = desk.say([RECORD, RECORD], idempotency_key="k")

    assert [each["status"] for each in first[1]["results"]] == ["added", "added"]
    assert [each["status"] for each in second[1]["results"]] == ["repeated"] * 2
    assert (first[0], second[0]) == (201, 200)


def test_bad_records_are_refused_one_by_one_and_good_ones_beside_them_kept(
    desk: Desk,
) -> None:
    status, said = desk.say(
        [RECORD | {"id": "1"}, RECORD | {"output_tokens": -1}, RECORD | {"id": "2"}]
    )

    assert status == 207
    assert [each["status"] for each in said["results"]] == ["added", "refused", "added"]
    assert said["results"][1]["error"] == {
        "code": "record-shape",
        "message": "expected int >= 0",
        "path": "output_tokens",
    }


def test_when_all_are_refused_the_status_says_so(desk: Desk) -> None:
    status, said = desk.say([{"model": ""}, 7])

    assert status == 422
    assert said["error"]["code"] == "all_refused"
    assert len(said["results"]) == 2
    assert desk.intake.batches == []


def test_unknown_fields_are_ignored_and_named_once(desk: Desk) -> None:
    more: dict[str, Any] = {"colour": "red", "prompt": "secret"}

    assert desk.say(RECORD | more)[1]["ignored"] == ["colour", "prompt"]
    assert desk.say([RECORD | more] * 2)[1]["ignored"] == ["colour", "prompt"]
    assert desk.say({"events": [RECORD], "sender": 1})[1]["ignored"] == ["sender"]


def test_a_key_speaks_for_its_own_projects_only(tmp_path: Path) -> None:
    desk = Desk(tmp_path, limited("shop"))
    desk.services.control.add_project(*_project("shop"))
    own = desk.say([{"model": "m", "output_tokens": 1, "id": "1"}, RECORD])
    other = desk.say(RECORD | {"project_id": "bank"})
    mixed = desk.say([RECORD, RECORD | {"project_id": "bank"}])

    assert own[0] == 201
    assert own[1]["results"][0]["id"] == "shop:1"
    assert (other[0], other[1]["error"]["code"]) == (403, "record-forbidden")
    assert (mixed[0], mixed[1]["results"][1]["status"]) == (207, "refused")
    assert desk.say([RECORD | {"project_id": "bank"}])[0] == 403
    desk.control.close()


def test_a_key_of_a_project_that_was_removed_is_told(tmp_path: Path) -> None:
    desk = Desk(tmp_path, limited("shop"))
    status, said = desk.say([RECORD, RECORD | {"output_tokens": -1}])

    assert status == 422
    assert [each["error"]["code"] for each in said["results"]] == [
        "record-forbidden",
        "record-shape",
    ]
    desk.control.close()


def test_a_key_of_several_projects_must_say_which(tmp_path: Path) -> None:
    desk = Desk(tmp_path, limited("bank", "shop"))

    assert desk.say({"model": "m"})[1]["error"]["code"] == "record-project"
    desk.control.close()


def test_two_tenants_may_use_the_same_ids(desk: Desk) -> None:
    said = desk.say([RECORD | {"id": "1"}, RECORD | {"id": "1", "project_id": "bank"}])

    assert [each["status"] for each in said[1]["results"]] == ["added", "added"]


def test_a_project_comes_into_being_with_its_first_report(desk: Desk) -> None:
    desk.say(RECORD | {"metadata": {"source": "claude_code"}})
    desk.say(RECORD | {"project_id": "bank"})

    kinds = {each.id: each.kind for each in desk.control.projects()}
    assert kinds == {"shop": "devtools", "bank": "agents"}


def test_lines_of_json_are_records(desk: Desk) -> None:
    lines = b'{"model":"m","output_tokens":1}\n\n{"model":"m"\n{"model":"m"}\n'
    status, said = desk.say(lines, content_type="application/x-ndjson")

    assert status == 207
    assert [each["status"] for each in said["results"]] == ["added", "refused", "added"]


def test_a_cloudevent_gives_its_record_id_and_time(desk: Desk) -> None:
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": "7",
        "source": "/eu",
        "type": "usage",
        "time": "2026-11-23T10:00:00Z",
        "traceparent": "00-1",
        "data": RECORD | {"colour": "red"},
    }
    structured = "application/cloudevents+json"
    batch = "application/cloudevents-batch+json"
    one = desk.say(event, content_type=structured)
    several = desk.say([event, event | {"id": ""}, 1], content_type=batch)
    binary = desk.say(
        RECORD,
        ce_specversion="1.0",
        ce_id="7",
        ce_source="/eu",
        ce_type="usage",
        ce_time="2026-11-23T10:00:00Z",
    )

    assert one[1]["id"] == "shop:/eu#7"
    assert one[1]["ignored"] == ["colour"]
    assert [each["status"] for each in several[1]["results"]] == [
        "repeated",
        "refused",
        "refused",
    ]
    assert binary[1]["status"] == "repeated"
    assert desk.intake.batches[0].observations[0].at == NOW - 20 * 3_600_000


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"ce_specversion": "1.0", "ce_id": "1", "ce_source": "/eu"}, RECORD),
        (
            {"ce_specversion": "2", "ce_id": "1", "ce_source": "/", "ce_type": "t"},
            RECORD,
        ),
        (
            {"ce_specversion": "1.0", "ce_id": "1", "ce_source": "/", "ce_type": "t"},
            [RECORD],
        ),
        (
            {
                "ce_specversion": "1.0",
                "ce_id": "1" * 201,
                "ce_source": "/",
                "ce_type": "t",
            },
            RECORD,
        ),
    ],
)
def test_a_binary_event_that_is_none_is_refused(
    desk: Desk, headers: dict[str, str], body: object
) -> None:
    with pytest.raises(RefusedError) as caught:
        desk.say(body, **headers)
    assert (caught.value.status, caught.value.code) == (400, "unreadable_event")


def test_a_page_in_a_browser_cannot_report(desk: Desk) -> None:
    with pytest.raises(RefusedError) as caught:
        desk.say(RECORD, content_type="text/plain")
    assert caught.value.status == 415


def test_a_mark_that_cannot_be_kept_is_refused(desk: Desk) -> None:
    with pytest.raises(RefusedError) as caught:
        desk.say(RECORD, idempotency_key="\x1b")
    assert caught.value.status == 400


def test_the_receipt_names_what_has_no_price_and_what_tools_did(desk: Desk) -> None:
    said = desk.say(
        RECORD | {"model": "nobodys-model", "web_search_requests": 2, "id": "1"}
    )[1]

    assert (said["cost_usd"], said["unpriced"]) == (None, ["nobodys-model"])
    assert said["tokens"] == 1100
    assert said["usage"]["web_search_requests"] == 2


def test_a_usage_that_is_not_known_costs_nobody_knows_what(desk: Desk) -> None:
    said = desk.say([{"model": "claude-opus-5-5", "id": "1"}])[1]

    assert said == {
        "results": [
            {
                "status": "added",
                "id": ":1",
                "tokens": None,
                "usage": {},
                "cost_usd": None,
                "unpriced": [],
            }
        ]
    }


def test_every_hostile_body_gets_its_documented_answer(
    tmp_path: Path, golden: Callable[[Path, str], None]
) -> None:
    bodies = BUILT | {
        path.stem: path.read_bytes()
        for path in HOSTILE.glob("*.json")
        if path.stem != "answers"
    }
    answers = {name: answered(tmp_path, bodies[name]) for name in sorted(bodies)}

    assert len(answers) == 79
    golden(HOSTILE / "answers.json", json.dumps(answers, indent=1) + "\n")


def answered(home: Path, body: bytes) -> dict[str, object]:
    """The status, and the codes and messages of what is wrong."""
    desk = Desk(home)
    begun = perf_counter()
    try:
        status, said = desk.say(body)
    except RefusedError as error:
        return {"status": error.status, "code": error.code, "message": error.message}
    finally:
        desk.control.close()
        assert perf_counter() - begun < 1
    results = [
        {"status": each.get("status", "refused")}
        | each.get("error", {})
        | ({"note": each["note"]} if "note" in each else {})
        for each in said.get("results", [said])
    ]
    more = {"ignored": said["ignored"]} if "ignored" in said else {}
    return {"status": status, "results": results, **more}


def _project(name: str) -> tuple[Project, AuditEntry]:
    entry = AuditEntry(at=0, who="owner", what="project added", subject=name)
    return Project(id=name, kind=AGENTS, created_at=0), entry
