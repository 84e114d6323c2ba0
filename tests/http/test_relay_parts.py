"""The relay's parts alone: header lines, accounts, routes, rules, its own name."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from tollbook.config import Account as AccountSettings
from tollbook.config import Config
from tollbook.config import Upstream as Settings
from tollbook.core.control import Key
from tollbook.core.errors import ConfigError
from tollbook.http import relay_upstreams
from tollbook.http.exchange import RefusedError
from tollbook.http.relay_headers import downward, upward
from tollbook.http.relay_instance import Instance
from tollbook.http.relay_passage import Drains
from tollbook.http.relay_probe import Trial, judge
from tollbook.http.relay_rules import Kind, Rules
from tollbook.http.relay_upstreams import Account, Switchboard, Upstream

ENVIRON = {"KEY": "sk-1", "OTHER": "sk-2"}
ACCOUNTS = {"main": AccountSettings(key_env="KEY")}
HERE = Settings(base_url="http://127.0.0.1:9", accounts=ACCOUNTS)
SHOP = Key(id="k1", name="ci", scopes=frozenset({"relay"}), created_at=0)


def said(lines: dict[str, str], **settings: object) -> dict[str, str]:
    """What an upstream is told."""
    sent = [(name.encode(), value.encode()) for name, value in lines.items()]
    return dict(upward(sent, msgspec.structs.replace(HERE, **settings), "sk"))


def test_lines_are_set_dropped_and_added_by_the_settings() -> None:
    told = said(
        {"x-team": "mine", "x-app": "cli", "anthropic-beta": "a, b"},
        set_headers={"X-Team": "shop"},
        drop_headers=("X-App",),
        betas=("b", "c"),
        auth="bearer",
    )

    assert told == {
        "X-Team": "shop",
        "anthropic-beta": "a, b,c",
        "accept-encoding": "identity",
        "authorization": "Bearer sk",
    }


@pytest.mark.parametrize(
    ("offered", "told"),
    [
        ("gzip, br;q=0.5", "gzip, br;q=0.5"),
        ("snappy", "identity"),
        ("*", "identity"),
        ("GZIP", "gzip"),
    ],
)
def test_only_codings_are_offered_that_can_be_looked_into(
    offered: str, told: str
) -> None:
    assert said({"accept-encoding": offered})["accept-encoding"] == told


def test_what_cannot_be_written_as_it_was_is_left_out() -> None:
    told = upward([(b"x-odd", b"\xe9"), (b"x-forwarded-for", b"1")], HERE, "sk")

    assert dict(told) == {"accept-encoding": "identity", "x-api-key": "sk"}


def test_a_line_named_by_connection_stays_behind() -> None:
    lines = [(b"Connection", b"close, X-Hop"), (b"X-Hop", b"1"), (b"X-Kept", b"2")]

    assert downward(lines) == [(b"x-kept", b"2")]


def account(environ: dict[str, str], **settings: str) -> Account:
    return Account("a", "main", AccountSettings(**settings), environ=environ)


def test_a_key_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("sk-file\n", "utf-8")

    assert account(ENVIRON, key_env="KEY").key() == "sk-1"
    assert account({}, key_file=str(path)).key() == "sk-file"


def test_a_key_file_that_changes_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_upstreams, "_LOOK_SECONDS", 0)
    path = tmp_path / "key"
    path.write_text("one", "utf-8")
    found = account({}, key_file=str(path))
    assert found.key() == "one"
    path.write_text("two", "utf-8")
    os.utime(path, (5, 5))
    assert found.key() == "two"
    path.unlink()
    assert found.key() == "two"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "key_env or with key_file"),
        ({"key_env": "KEY", "key_file": "x"}, "key_env or with key_file"),
        ({"key_env": "NONE"}, "NONE is empty"),
        ({"key_env": "BAD"}, "plain characters"),
        ({"key_file": "/nowhere/key"}, "cannot be read"),
    ],
)
def test_an_account_without_a_key_stops_the_start(
    settings: dict[str, str], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        account({**ENVIRON, "BAD": "two words"}, **settings)


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [("7", 7), (None, 30), ("soon", 30), ("999999", 3600), ("0", 0)],
)
def test_an_account_rests_as_long_as_it_says(
    retry_after: str | None, seconds: int
) -> None:
    found = account(ENVIRON, key_env="KEY")
    found.rest(retry_after, 30, 100.0)

    assert found.rests_until == 100.0 + seconds


def test_accounts_are_tried_in_order_and_the_longest_rested_when_all_rest() -> None:
    accounts = {**ACCOUNTS, "spare": AccountSettings(key_env="OTHER")}
    settings = msgspec.structs.replace(HERE, accounts=accounts)
    upstream = Upstream("u", settings, environ=ENVIRON)
    main, spare = upstream.accounts(0.0)

    assert (main.name, spare.name) == ("main", "spare")
    main.rest("9", 1, 0.0)
    assert upstream.accounts(1.0) == [spare]
    spare.rest("5", 1, 0.0)
    assert upstream.accounts(1.0) == [spare]
    assert upstream.accounts(9.0) == [main, spare]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "ftp://127.0.0.1",
        "https://",
        "https://me:secret@x.example",
        "https://x.example?a=b",
        "https://x.example:port",
        "https://\u00e9.example",
        "",
    ],
)
def test_a_place_is_reached_safely_or_not_at_all(url: str) -> None:
    with pytest.raises(ConfigError, match="base_url"):
        Upstream("u", msgspec.structs.replace(HERE, base_url=url), environ=ENVIRON)


def test_an_upstream_needs_an_account() -> None:
    with pytest.raises(ConfigError, match="no account"):
        Upstream("u", msgspec.structs.replace(HERE, accounts={}), environ=ENVIRON)


def routed(key: Key, project: str | None, model: str | None) -> str:
    """Where a request goes among three upstreams."""
    board = Switchboard(
        Config(
            upstreams={
                "small": msgspec.structs.replace(HERE, models=("claude-haiku-*",)),
                "shop": msgspec.structs.replace(HERE, projects=("shop",)),
                "ci": msgspec.structs.replace(HERE, keys=("ci",), models=("x",)),
            }
        ),
        ENVIRON,
    )
    return board.route(key, project, model).name


def test_requests_are_sent_by_model_project_and_key() -> None:
    assert routed(SHOP, "shop", "claude-haiku-5-5") == "small"
    assert routed(SHOP, "shop", "claude-opus-5-5") == "shop"
    assert routed(SHOP, None, "x") == "ci"
    assert routed(SHOP, None, None) == "small"
    with pytest.raises(RefusedError):
        routed(SHOP, None, "claude-opus-5-5")


def test_without_upstreams_there_is_the_providers_own() -> None:
    board = Switchboard(Config(), {"ANTHROPIC_API_KEY": "sk"})

    assert board.upstreams["anthropic"].base == "https://api.anthropic.com"


def test_an_upstream_may_allow_more_of_its_own() -> None:
    more = msgspec.structs.replace(HERE, paths=("GET /v1/files/*", "POST /v1/messages"))
    rules = Rules({"u": more, "v": more, "w": HERE})

    assert rules.find(b"/v1/files/file_1")["GET"].upstreams == frozenset("uv")
    assert rules.find(b"/v1/files/a/b") == {}
    assert rules.find(b"/v1/messages")["POST"].kind is Kind.MESSAGE
    assert rules.find(b"/v1/messages/batches/b/results")["GET"].kind is Kind.RESULTS


@pytest.mark.parametrize("text", ["/v1/x", "GET v1", "get /a", "GET /a/..", "GET /./a"])
def test_what_an_upstream_allows_must_be_a_method_and_a_path(text: str) -> None:
    with pytest.raises(ConfigError, match="method and path"):
        Rules({"u": msgspec.structs.replace(HERE, paths=(text,))})


def test_an_instance_is_alive_as_long_as_it_holds_its_lock(tmp_path: Path) -> None:
    one, other = Instance(str(tmp_path)), Instance(str(tmp_path))
    folder = tmp_path / "relay"

    assert one.name != other.name
    assert one.is_alive(one.name)
    assert one.is_alive(other.name)
    os.close(other._handle)  # noqa: SLF001 - as the end of its process would
    assert not one.is_alive(other.name)
    assert not one.is_alive("../../etc")
    assert [path.name for path in folder.iterdir()] == [f"{one.name}.lock"]
    one.close()
    assert list(folder.iterdir()) == []


def test_only_so_many_answers_are_read_for_nobody() -> None:
    drains = Drains(1)

    assert drains.admit()
    assert not drains.admit()
    drains.leave()
    assert drains.admit()


def trials(stream: str, whole: str, *, count: int = 200) -> list[Trial]:
    return [
        Trial(way="stream", status=200, state=stream, lacked=("message_delta",)),
        Trial(way="whole", status=200, state=whole),
        Trial(way="count_tokens", status=count),
    ]


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (trials("complete", "complete"), "nothing is to be set"),
        (trials("missing", "complete"), 'upstreams.u.on_missing = "nonstream"'),
        (trials("missing", "missing"), 'upstreams.u.on_missing = "count"'),
        (trials("partial", "missing", count=0), "its console must tell"),
        (
            [*trials("missing", "complete"),
             Trial(way="stream, bare", status=200, state="complete")],
            "take them out of upstreams.u",
        ),
        (
            [Trial(way="stream", status=401, error="authentication_error"),
             *trials("", "")[1:]],
            "answers no stream (authentication_error)",
        ),
        ([Trial(way="stream", status=500), *trials("", "")[1:]], "status 500"),
    ],
)  # fmt: skip
def test_a_probe_says_in_words_what_to_set(found: list[Trial], told: str) -> None:
    finding = judge("u", found)

    assert told in finding.verdict
    assert finding.sound == (told == "nothing is to be set")
