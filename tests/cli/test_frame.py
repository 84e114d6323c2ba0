"""The command table, what it costs to start, and how a run ends."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import tollbook
from program import Program, answer
from servers import real_server
from tollbook.cli import table

LASTING = {"serve", "relay"}
"""Commands that go on until they are told to end."""
SENDING = {"push"}
"""Commands whose example names a server of nobody's: a real one stands in for it."""
ASKING = {"probe"}
"""Commands whose example asks the real API; other tests let them ask one of ours."""
ADDRESS = re.compile("https?://")
RECORD = b'{"model":"claude-opus-5-5","timestamp":"2026-11-10T10:00:00Z","id":"1"}'
CONSOLE = b"request_id,model,input_tokens,output_tokens\nreq_1,claude-opus-5-5,1,2\n"
HEAVY = {"click", "msgspec", "rich", "pathlib", "inspect", "zoneinfo", "tomllib"}


def imported(program: Program, *words: str, stdin: bytes = b"") -> set[str]:
    """Every module a run imported, by Python's own account."""
    for name in [name for name in program.environ if name.startswith("COVERAGE_")]:
        del program.environ[name]
    done = program(*words, stdin=stdin, options=("-X", "importtime"))
    names = re.findall(rb"^import time:.*\| +(\S+)$", done.stderr, re.MULTILINE)
    assert names
    return {name.decode() for name in names}


def test_help_lists_every_command_under_its_section(program: Program) -> None:
    shown = program.text("--help")

    for name, entry in table.COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(entry.help)}$", shown, re.MULTILINE)
        assert f"{entry.section}:" in shown
    assert program.text("-h") == program.text("help") == shown


def test_every_command_in_the_table_is_there(program: Program) -> None:
    for name in table.COMMANDS:
        assert "Usage: tollbook" in program.text(name, "--help")


def commands() -> Iterator[click.Command]:
    """Every command, and those below the groups."""
    for entry in table.COMMANDS.values():
        if not entry.bare:
            command = table.load(entry.module).command
            yield command
            if isinstance(command, click.Group):
                yield from command.commands.values()


@pytest.mark.parametrize("command", list(commands()), ids=lambda each: each.name)
def test_every_command_teaches_with_an_example_that_runs(
    program: Program, command: click.Command, tmp_path: Path
) -> None:
    program.environ["ANTHROPIC_API_KEY"] = "sk-ant-none"
    program.home.joinpath("usage.ndjson").write_bytes(RECORD)
    program.home.joinpath("console.csv").write_bytes(CONSOLE)
    tmp_path.joinpath("team").mkdir()
    program.write("one", answer(1))
    program.write("two", answer(2), project="../../backup/claude/projects/-b")
    program.text("scan")
    program.text("project", "add", "shop")
    program.text("key", "create", "ci")
    example = (command.epilog or "").removeprefix("Example: ")
    words = [word for word in shlex.split(example) if "=" not in word]

    assert words[0] == "tollbook"
    assert command.name in words
    if command.name in ASKING:
        return
    given = [word.replace("~", str(program.home)) for word in words[1:]]
    if command.name in LASTING:
        with real_server(program, *given[1:], command=given[0]):
            return  # it listens, and then ends with 0
    if command.name not in SENDING:
        program.text(*given)
        return
    with real_server(Program(tmp_path / "team")) as server:
        program.text(*(server.url if ADDRESS.match(word) else word for word in given))


def test_help_and_version_import_no_command(program: Program) -> None:
    for word in ("--help", "--version"):
        assert not imported(program, word) & {"click", "msgspec", "rich", "apsw"}


def test_the_version_is_the_packages(program: Program) -> None:
    assert program.text("--version") == f"tollbook {tollbook.__version__}\n"


@pytest.mark.parametrize("thread", [True, False])
def test_a_run_ends_with_what_was_promised_for_its_end(
    program: Program, *, thread: bool
) -> None:
    promised = f"""
import atexit, os, sys, threading, time
from tollbook.cli import main

def work():
    time.sleep(0.2)
    os.write(2, b"worked ")

atexit.register(os.write, 2, b"ended")
if {thread}:
    threading.Thread(target=work).start()
sys.argv = ["tollbook", "verify"]
main()
"""
    done = subprocess.run(  # noqa: S603  # our own words
        [sys.executable, "-c", promised],
        env=program.environ,
        capture_output=True,
        check=False,
    )

    assert done.returncode == 0
    assert b"everything agrees" in done.stdout
    assert done.stderr == (b"worked ended" if thread else b"ended")


def test_a_status_line_imports_nothing_slow(program: Program) -> None:
    assert not imported(program, "statusline", stdin=b"{}") & HEAVY


def test_a_pipe_does_not_pay_for_a_terminal(program: Program) -> None:
    program.write("one", answer(1))

    for words in (("scan", "--json"), ("problems", "--json"), ("prices", "list")):
        assert not any(n.startswith("rich") for n in imported(program, *words))


@pytest.mark.parametrize("words", [("nosuch",), ("scan", "--nosuch"), ("show",)])
def test_what_cannot_be_understood_ends_with_2(
    program: Program, words: tuple[str, ...]
) -> None:
    done = program(*words)

    assert done.returncode == 2
    assert done.stderr
    assert not done.stdout


def test_a_hostile_word_is_not_repeated_raw(program: Program) -> None:
    done = program("\x1b[31mred")

    assert done.returncode == 2
    assert b"\x1b" not in done.stderr


def test_a_damaged_ledger_ends_with_5_and_stays_as_it_is(program: Program) -> None:
    ledger = program.home / "ledger" / "ledger.db"
    ledger.parent.mkdir()
    ledger.write_bytes(b"precious" * 1000)

    done = program("scan")

    assert done.returncode == 5
    assert str(ledger).encode() in done.stderr
    assert done.stderr.count(b"\n") == 1
    assert ledger.read_bytes() == b"precious" * 1000


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="root may write anywhere"
)
def test_a_folder_nobody_may_write_ends_with_5(program: Program) -> None:
    program.home.joinpath("ledger").mkdir(mode=0o500)

    done = program("scan")

    assert done.returncode == 5
    assert b"TOLLBOOK_HOME" in done.stderr


def test_a_reader_who_leaves_early_hears_nothing(program: Program) -> None:
    running = program.start("prices", "list")
    assert running.stdout
    running.stdout.close()
    _, said = running.communicate(timeout=60)

    assert running.returncode == 0
    assert said == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has one")
@pytest.mark.parametrize("words", [("daily",), ("daily", "--json"), ("prices", "list")])
def test_an_answer_that_cannot_be_written_ends_with_6(
    program: Program, words: tuple[str, ...]
) -> None:
    program.write("one", answer(1))
    with Path("/dev/full").open("wb") as full:
        running = program.start(*words, stdout=full)
        _, said = running.communicate(timeout=60)

    assert running.returncode == 6
    assert said.startswith(b"tollbook: the output: ")
    assert said.count(b"\n") == 1


def test_new_terms_are_applied_to_what_is_stored(program: Program) -> None:
    program.write("one", answer(1))
    response = f"msg_01{1:022d}"
    assert "at your terms" not in program.text("show", response)

    program.settings('[[prices.terms]]\nmodel = "opus"\ndiscount = "0.5"\n')

    assert "at your terms 0.0052 USD" in program.text("show", response)
    assert "everything agrees" in program.text("verify")


def test_a_bar_is_drawn_only_for_someone_who_watches(program: Program) -> None:
    many = answer(1) + b" " * (40 << 20)
    program.write("large", many)

    assert program("scan").stderr == b""
