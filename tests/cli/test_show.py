"""tollbook show: down to the line each number came from."""

from __future__ import annotations

import re

import msgspec

from program import Program, answer

SESSION = "4bc1a0de-0000-4000-8000-000000000001"
FIRST = f"msg_01{1:022d}"


def test_a_response_leads_back_to_its_lines(program: Program) -> None:
    one = program.write("one", b'{"type":"user"}', answer(1), answer(2))
    program.text("scan")
    two = program.write("two", answer(1))

    shown = program.text("show", FIRST)

    assert "list cost 0.0104 USD" in shown
    assert re.search(r"^project +/home/me/shop$", shown, re.MULTILINE)
    assert "price read in" in shown
    assert f"{one}:2" in shown
    assert str(two) not in shown, "a copy taught nothing"
    assert program.text("show", f"req_011{1:021d}", "--no-scan") == shown


def test_a_response_as_json_adds_up(program: Program) -> None:
    program.write("one", answer(1))
    found = program.json("show", FIRST)["responses"]
    (seen,) = msgspec.convert(found, list[dict[str, object]])
    (part,) = msgspec.convert(seen["parts"], list[dict[str, object]])
    lines = msgspec.convert(part["lines"], list[dict[str, object]])

    assert seen["list_cost_usd"] == "0.0104"
    assert [line["list_cost_usd"] for line in lines] == ["0.0004", "0.01"]
    assert all(line["evidence"] for line in lines)


def test_what_is_paid_by_its_use_is_priced_by_the_thousand(program: Program) -> None:
    usage = {"output_tokens": 500, "server_tool_use": {"web_search_requests": 3}}
    message = {"id": FIRST, "role": "assistant", "model": "claude-opus-5-5"}
    program.write("one", answer(1, message={**message, "usage": usage}))

    shown = program.text("show", FIRST)

    assert re.search(r"web_search_requests +3 +reported +10 per 1,000 +0\.03 ", shown)
    assert re.search(r"output_tokens +500 +\S+ +20 +0\.01 ", shown)


def test_when_an_id_names_too_many_it_is_said(program: Program) -> None:
    message = {"id": "msg_const", "role": "assistant", "model": "claude-opus-5-5"}
    usage = {"usage": {"output_tokens": 5}}
    program.write("one", *(answer(n, message=message | usage) for n in range(1, 103)))

    shown = program.text("show", "msg_const")
    assert shown.endswith("\nthese are the latest 100; older ones are not shown\n")
    found = program.json("show", "msg_const")
    assert found["more"] is True
    assert len(msgspec.convert(found["responses"], list[object])) == 100


def test_a_usage_nobody_told_is_called_unknown_and_nothing_else(
    program: Program,
) -> None:
    silent: dict[str, object] = {
        "id": FIRST,
        "role": "assistant",
        "model": "claude-opus-5-5",
        "stop_reason": "end_turn",
    }
    program.write("one", answer(1, message=silent))

    shown = program.text("show", FIRST)

    assert "list cost unknown" in shown
    assert "lower bound" not in shown


def test_one_is_not_many(program: Program) -> None:
    ask: dict[str, object] = {
        "type": "api-request",
        "id": "ask-1",
        "sessionId": SESSION,
        "timestamp": "2026-11-10T12:00:00.000Z",
        "params": {"model": "x"},
    }
    cut: dict[str, object] = {
        "id": FIRST,
        "role": "assistant",
        "model": "claude-opus-5-5",
        "stop_reason": None,
        "usage": {"input_tokens": 5, "output_tokens": 1},
    }
    program.write("one", answer(1, message=cut), msgspec.json.encode(ask), b'{"usage":')

    shown = program.text("show", SESSION)

    assert "~ 1 response without a final count: the total is a lower bound" in shown
    assert "1 call sent whose usage no line holds" in shown
    care = program.text("doctor", code=1)
    assert "1 call sent whose usage no line holds" in care
    assert "1 piece of input could not be used" in care
    assert "1 response in 1 batch\n" in care


def test_a_session_shows_your_terms_and_what_the_client_stated(
    program: Program,
) -> None:
    stated = {
        "type": "cost-state",
        "sessionId": SESSION,
        "totalCostUSD": 0.0123,
        "totalDuration": 5,
        "modelUsage": {"claude-opus-5-5": {"outputTokens": 500, "costUSD": 0.0123}},
    }
    path = program.write("one", answer(1), msgspec.json.encode(stated))
    program.settings('[[prices.terms]]\nmodel = "opus"\ndiscount = "0.5"\n')

    shown = program.text("show", SESSION)

    assert "at your terms: $0.0052\n" in shown
    assert f"stated: $0.01 in {path}:2, kept as a check\n" in shown


def test_a_session_is_found_by_its_beginning(program: Program) -> None:
    program.write("one", answer(1), answer(2), answer(3, isSidechain=True, agentId="a"))

    shown = program.text("show", SESSION[:6])
    found = program.json("show", SESSION[:6])

    assert f"session {SESSION}, project /home/me/shop" in shown
    assert "sub-agent" in shown
    assert msgspec.convert(found["totals"], dict[str, object])["responses"] == 3


def test_what_is_unpriced_is_never_free(program: Program) -> None:
    program.write("one", answer(1, model="claude-unknown-9"))

    assert "unpriced" in program.text("show", FIRST)
    assert "unknown model" in program.text("show", FIRST)
    session = program.text("show", SESSION)
    assert "unpriced, and not in the cost: 100 uncached_input_tokens" in session
    totals = msgspec.convert(program.json("show", SESSION)["totals"], dict[str, object])
    assert totals["unpriced"] == {"uncached_input_tokens": 100, "output_tokens": 500}


def test_a_response_whose_usage_is_not_known_is_never_free(program: Program) -> None:
    message = {"id": FIRST, "role": "assistant", "model": "claude-opus-5-5"}
    program.write("one", answer(1, message=message), answer(2))

    session = program.text("show", SESSION)
    assert re.search(r"claude-opus-5-5 +- +- +unknown", session)
    assert "1 response whose usage no file holds" in session
    assert "list cost unknown" in program.text("show", FIRST)


def test_an_unclear_name_lists_what_it_may_mean(program: Program) -> None:
    program.write("one", answer(1), answer(2, sessionId="4bc1ffff"))

    done = program("show", "4bc1")

    assert done.returncode == 2
    assert SESSION.encode() in done.stderr
    assert program("show", "nothing").returncode == 2
    assert program("show", "").returncode == 2
