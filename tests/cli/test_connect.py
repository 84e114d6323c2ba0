"""tollbook connect: the environment that makes Claude Code report."""

from __future__ import annotations

import subprocess

import msgspec
import pytest

from program import Program

KEY = "tb_aaaaaaaaaa_" + "b" * 32
QUIET = ("PROMPT", "BODIES", "RESPONSES", "TOOL", "TRACES")


def test_a_shell_understands_the_lines(program: Program) -> None:
    lines = program.text("connect", "claude-code", "--key", KEY)
    script = f"{lines}\nenv"
    told = subprocess.run(  # noqa: S603 - our own lines
        ["/bin/sh", "-ec", script],
        env={},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()

    assert "CLAUDE_CODE_ENABLE_TELEMETRY=1" in told
    assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318" in told
    assert f"OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer {KEY}" in told


def test_nothing_that_people_wrote_is_asked_for(program: Program) -> None:
    lines = program.text("connect", "claude-code")

    assert not any(word in lines for word in QUIET)
    assert "HEADERS" not in lines


@pytest.mark.parametrize(
    ("protocol", "url"),
    [
        ("http/json", "http://127.0.0.1:4318"),
        ("http/protobuf", "http://127.0.0.1:4318"),
        ("grpc", "http://127.0.0.1:4317"),
    ],
)
def test_settings_take_it_as_it_is(program: Program, protocol: str, url: str) -> None:
    found = program.json("connect", "claude-code", "--protocol", protocol)

    environment = msgspec.convert(found["env"], dict[str, str])
    assert environment["OTEL_EXPORTER_OTLP_PROTOCOL"] == protocol
    assert environment["OTEL_EXPORTER_OTLP_ENDPOINT"] == url


def test_a_key_can_be_read_and_not_be_seen(program: Program) -> None:
    done = program("connect", "claude-code", "--key", "-", stdin=f"{KEY}\n".encode())

    assert KEY in done.stdout.decode()


@pytest.mark.parametrize("key", ["sk-ant-secret", "tb_aaaaaaaaaa", ""])
def test_what_is_no_key_is_refused_and_not_repeated(program: Program, key: str) -> None:
    done = program("connect", "claude-code", "--key", key)

    assert done.returncode == 3
    assert b"is no key" in done.stderr
    assert not key or key.encode() not in done.stderr


def test_the_end_of_a_url_does_not_matter(program: Program) -> None:
    lines = program.text("connect", "claude-code", "--url", "https://ledger.example/")

    assert "ENDPOINT=https://ledger.example\n" in lines


@pytest.mark.parametrize(
    "url",
    [
        "ledger.example",
        "ftp://ledger.example",
        "http://",
        "http://a:b@ledger.example",
        "http://ledger.example/?a",
        "http://ledger.example#a",
        "http://ledger example",
        "http://ledger:99999",
        "http://[",
        "http://ledger:0",
        "http://ledger\n.example",
    ],
)
def test_what_is_no_url_is_refused(program: Program, url: str) -> None:
    done = program("connect", "claude-code", "--url", url)

    assert done.returncode == 3
    assert b"write it like http://127.0.0.1:4318" in done.stderr
