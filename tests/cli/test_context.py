"""tollbook.cli.context and what stands around it: how a run begins, waits and ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from program import Program, answer
from tollbook.cli import context, group
from tollbook.cli.context import App
from tollbook.config import load_config
from tollbook.core.errors import SourceUnavailableError
from tollbook.ports import Appended, Pending
from tollbook.sources.transcripts import TranscriptFolders

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    program: Program,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """The program in this process, in the same home: exit code and what it said."""
    monkeypatch.setenv("HOME", str(program.home))
    monkeypatch.setenv("TOLLBOOK_HOME", str(program.home / "ledger"))

    def call(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            code = group.run(words)
        except SystemExit as end:
            code = int(end.code or 0)
        return (code, *capsys.readouterr())

    return call


class Away(TranscriptFolders):
    """A source that is not there today."""

    def survey(self, cursors: Mapping[str, bytes]) -> Pending:
        """See ``Source``."""
        text = f"{len(cursors)} cursors: the disk is not mounted; mount it"
        raise SourceUnavailableError(text)


class Interrupting(TranscriptFolders):
    """A source at which the user loses patience."""

    def survey(self, cursors: Mapping[str, bytes]) -> Pending:
        """See ``Source``."""
        raise KeyboardInterrupt(cursors)


def test_a_source_that_is_away_stops_no_report(
    run: Run, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.write("one", answer(1))
    _, before, _ = run("daily", "--csv")
    monkeypatch.setattr(context, "make_sources", lambda _: [Away([])])

    code, shown, said = run("daily", "--csv")

    assert code == 0
    assert shown == before
    assert "mount it; this is what the ledger knew before" in said


def test_a_source_that_is_away_ends_a_scan(
    run: Run, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.write("one", answer(1))
    monkeypatch.setattr("tollbook.cli.scan.make_sources", lambda _: [Away([])])

    code, _, said = run("scan")

    assert code == 4
    assert "mount it" in said


def test_whoever_loses_patience_ends_with_130_and_keeps_the_ledger(
    run: Run, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.write("one", answer(1))
    assert run("scan")[0] == 0
    program.write("two", answer(2))
    with monkeypatch.context() as patch:
        patch.setattr("tollbook.cli.scan.make_sources", lambda _: [Interrupting([])])

        assert run("scan") == (
            130,
            "",
            "tollbook: interrupted; everything read so far is kept\n",
        )
    assert "1 new response" in run("scan")[1]


def test_patience_may_end_before_a_command_began(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(module: str) -> None:
        raise KeyboardInterrupt(module)

    monkeypatch.setattr(group, "load", interrupt)

    code, _, said = run("scan")

    assert code == 130
    assert "interrupted" in said


def test_many_responses_are_not_rated_again_in_silence(
    run: Run, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "_LONG_RESPONSES", 1)
    program.write("one", answer(1), answer(2))
    run("scan")
    program.settings('[[prices.terms]]\nmodel = "opus"\ndiscount = "0.5"\n')

    again = run("scan")[2]

    assert again == "tollbook: prices have changed; rating 2 responses again\n"
    assert run("scan")[2] == ""


def test_nothing_is_read_when_nothing_shall_be(run: Run, program: Program) -> None:
    program.write("one", answer(1))
    assert run("daily", "--no-scan")[0] == 0
    app = App(load_config(), no_scan=True)
    try:
        assert app.refresh() == Appended()
        assert app.store.coverage().responses == 0
    finally:
        app.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal of its own")
@pytest.mark.parametrize(("megabytes", "drawn"), [(1, False), (40, True)])
def test_a_terminal_shows_a_bar_while_much_is_read(
    program: Program, megabytes: int, *, drawn: bool
) -> None:
    program.write("large", answer(1) + b" " * (megabytes << 20), answer(2))
    master, slave = os.openpty()
    running = subprocess.Popen(
        [sys.executable, "-m", "tollbook", "scan"],
        env=program.environ | {"TERM": "xterm"},
        cwd=program.home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=slave,
    )
    os.close(slave)
    shown = read_all(master)
    out, _ = running.communicate(timeout=60)

    assert running.returncode == 0
    assert (b"reading" in shown) is drawn
    assert out.startswith(b"2 lines = 2 added")


def read_all(handle: int) -> bytes:
    """All that is written to a terminal until its last writer ends."""
    found = b""
    try:
        while piece := os.read(handle, 65_536):
            found += piece
    except OSError:  # how Linux says that nobody holds the other end any more
        pass
    finally:
        os.close(handle)
    return found


def test_a_shell_completes_the_names_of_commands(program: Program) -> None:
    program.environ |= {"_TOLLBOOK_COMPLETE": "bash_complete", "COMP_CWORD": "1"}
    program.environ["COMP_WORDS"] = "tollbook s"

    offered = program.text("completion").split()

    assert offered == ["plain,sessions", "plain,show", "plain,scan", "plain,serve"]


def test_help_before_a_command_is_the_whole_table(program: Program) -> None:
    assert program.text("--help", "scan") == program.text("--help")


def test_a_settings_folder_that_is_a_file_is_named(program: Program) -> None:
    program.home.joinpath("ledger").write_text("no folder")

    done = program("config", "init")

    assert done.returncode == 3
    assert b"cannot be written" in done.stderr
    assert b"set TOLLBOOK_HOME" in done.stderr


def test_a_root_of_the_settings_that_is_not_there_is_named(program: Program) -> None:
    away, there = program.home / "away", program.home / "there"
    there.mkdir()
    program.settings(f'[sources]\nroots = ["{away}", "{there}"]\n')

    done = program("scan")

    assert done.returncode == 0
    assert done.stderr.decode().splitlines() == [
        f"tollbook: {away}: sources.roots names it, and it is not there"
    ]
    assert f"{away}: not there" in program.text("doctor")


def test_the_doctor_as_json_names_each_finding(program: Program) -> None:
    fresh = program.json("doctor")["findings"]
    assert isinstance(fresh, list)
    found = {each["name"]: each for each in fresh}

    assert found["last news"]["what"].startswith("nothing was recorded yet")
    assert found["problems"]["state"] == "fine"


def test_without_problems_there_is_one_clear_line(program: Program) -> None:
    program.write("one", answer(1))
    assert "no problems: everything" in program.text("problems")
    program.write("two", b'{"message":{"usage":')

    assert program.text("problems", "--code", "line-time") == (
        "no problem has the code 'line-time'\n"
    )


def test_main_is_the_program(tmp_path: Path) -> None:
    code = "import tollbook.__main__, sys; sys.exit(tollbook.__main__.main is None)"
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", code, "scan"], cwd=tmp_path, check=False
    )

    assert done.returncode == 0, "an import runs nothing"
    assert list(tmp_path.iterdir()) == []
