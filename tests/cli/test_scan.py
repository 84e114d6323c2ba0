"""tollbook scan, problems, verify and doctor, from outside."""

from __future__ import annotations

import shutil
import sys

import apsw
import pytest

from program import Program, answer


def test_every_line_is_added_repeated_or_refused(program: Program) -> None:
    program.write("one", answer(1), answer(1), answer(2), b'{"message":{"usage":')
    program.write("two", answer(2))

    first = program.json("scan")
    second = program.json("scan")

    kinds = ("added", "repeated", "refused")
    assert first["responses"] == 2
    assert first["lines"] == sum(int(str(first[kind])) for kind in kinds)
    assert second["lines"] == 0


def test_a_folder_or_a_file_can_be_given(program: Program) -> None:
    path = program.write("one", answer(1))
    elsewhere = program.home / "copy"
    shutil.copytree(path.parent, elsewhere / "-home-me-shop")
    path.unlink()

    assert program.json("scan")["responses"] == 0
    assert program.json("scan", str(elsewhere))["responses"] == 1
    assert (
        program.json("scan", str(elsewhere / "-home-me-shop" / "one.jsonl"))[
            "responses"
        ]
        == 0
    )


def test_a_path_that_is_not_there_ends_with_4(program: Program) -> None:
    done = program("scan", str(program.home / "nowhere"))

    assert done.returncode == 4
    assert b"nowhere" in done.stderr


def test_two_processes_at_once_count_once(program: Program) -> None:
    for n in range(20):
        lines = [answer(100 * n + k) for k in range(50)]
        program.write(f"s{n}", *lines)

    running = [program.start("scan", "--json") for _ in range(3)]
    for each in running:
        _, said = each.communicate(timeout=120)
        assert each.returncode == 0, said

    found = program.json("verify")
    assert found["responses"] == 1000
    assert found["differences"] == []


def by_hand(program: Program, statement: str) -> None:
    """Do to the ledger what tollbook never does."""
    ledger = apsw.Connection(str(program.home / "ledger" / "ledger.db"))
    ledger.execute(statement)
    ledger.close()


def test_verify_finds_a_changed_total_and_repairs_it(program: Program) -> None:
    program.write("one", answer(1))
    program.text("scan")
    by_hand(program, "UPDATE usage_by_project SET list_micro = list_micro + 1")

    assert program.json("verify", code=1)["differences"]
    told = program.text("verify", code=1)
    assert "differs: usage_by_project: 1 row stored, but not what the facts" in told
    assert told.endswith("`tollbook verify --repair` derives the rest\n")

    told = program.text("verify", "--repair")
    assert "differs: usage_by_project" in told
    assert told.endswith("everything was derived anew and stored\n")
    assert program.json("verify", "--repair")["repaired"] is True
    assert "everything agrees" in program.text("verify")


def test_damaged_facts_are_not_repaired_away(program: Program) -> None:
    program.write("one", answer(1))
    program.text("scan")
    by_hand(program, "UPDATE segments SET body = zeroblob(9)")

    done = program("verify", "--repair")

    assert done.returncode == 5
    assert b"the facts of segment 1 are damaged; restore a backup" in done.stderr
    assert program.json("doctor")["version"] == 1


def test_a_problem_is_shown_with_its_place_and_code(program: Program) -> None:
    path = program.write("one", answer(1), b'{"message":{"usage":', answer(2))

    assert f"{path}:2" in program.text("problems")
    assert program.json("problems")["counts"] == {"line-not-json": 1}
    assert program.text("problems", "--csv").splitlines()[0] == (
        "origin,line,code,message,acknowledged_at"
    )
    assert program.json("problems", "--code", "line-time")["rows"] == []


def test_a_problem_of_a_file_that_is_gone_can_be_acknowledged(
    program: Program,
) -> None:
    path = program.write("one", answer(1), b'{"message":{"usage":', answer(2))
    other = program.write("two", b'{"message":{"usage":', answer(3))
    program.text("scan")
    path.unlink()
    assert "problems" in program.text("doctor", code=1)

    assert (
        b"no problem has this origin"
        in program("problems", "--acknowledge", "nowhere").stderr
    )
    done = program.text("problems", "--acknowledge", str(path))
    assert done == "took note of 1 problem\n"
    assert program.json("problems")["counts"] == {"line-not-json": 1}
    assert program.text("problems", "--acknowledge", "all") == done
    program.text("doctor")
    assert program.text("problems").startswith("no problems")
    every = program.text("problems", "--all")
    assert f"{path}:2" in every
    assert f"{other}:1" in every
    assert every.count("  acknowledged 20") == 2


def test_the_doctor_is_content_with_a_sound_ledger(program: Program) -> None:
    program.write("one", answer(1))
    program.text("scan")

    assert "every model has a price" in program.text("doctor")


@pytest.mark.parametrize("word", ["unpriced models", "claude-unknown-9", "problems"])
def test_the_doctor_names_what_needs_care(program: Program, word: str) -> None:
    program.write("one", answer(1, model="claude-unknown-9"), b'{"message":{"usage":')
    program.text("scan")

    assert word in program.text("doctor", code=1)


def test_what_is_no_transcript_is_no_unread_file(program: Program) -> None:
    program.write("one", answer(1))
    program.text("scan")
    folder = program.home / ".claude" / "projects" / "-home-me-shop"
    folder.joinpath("away.jsonl").symlink_to("/etc/hosts")
    findings = program.json("doctor")["findings"]
    assert isinstance(findings, list)

    assert [f["what"] for f in findings if f["name"] == "unread"] == ["0 files, 0 MB"]


def test_the_doctor_sees_a_last_line_without_end(program: Program) -> None:
    path = program.write("one", answer(1))
    path.write_bytes(path.read_bytes() + answer(2)[:-20])
    program.text("scan")

    assert f"in 1 file: {path}" in program.text("doctor")


def test_the_doctor_sees_a_ledger_that_others_can_read(program: Program) -> None:
    program.text("scan")
    path = program.home / "ledger" / "ledger.db"
    assert path.stat().st_mode & 0o777 == 0o600


def test_hostile_names_reach_no_terminal(program: Program) -> None:
    evil = "\x1b]0;owned\x07claude\u202e\u200b"
    program.write("one", answer(1, model=evil, gitBranch="\x9b31m", cwd="/a\x1b[2J"))
    program.text("scan")

    for words in (("doctor",), ("show", "4bc1"), ("show", f"msg_01{1:022d}")):
        done = program(*words)
        for shown in (done.stdout.decode(), done.stderr.decode()):
            assert shown.replace("\n", "").isprintable()
        assert b"claude" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_when_nothing_more_fits_what_was_stored_stays(program: Program) -> None:
    program.write("one", answer(1))
    program.text("scan")
    program.write("two", *(answer(n) for n in range(2, 3000)))

    full = program.limited(256, "scan")

    assert full.returncode == 5
    assert b"disk" in full.stderr
    assert program.json("verify")["responses"] == 1
    assert program.json("scan")["responses"] == 2998
