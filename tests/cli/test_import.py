"""tollbook import, from outside."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import apsw
import msgspec
import pytest

from program import Program
from tollbook.ledger.projects import PROJECTS_MAX

RECORD = {
    "model": "claude-opus-5-5",
    "timestamp": "2026-11-10T10:00:00Z",
    "input_tokens": 1000,
    "output_tokens": 100,
}
TABLE = (
    "Time,Model,Prompt tokens,Answer,Team,Note\n"
    '2026-11-10T10:00:00Z,claude-opus-5-5,1000,100,pay,"two\nlines"\n'
    "2026-11-10T10:00:01Z,claude-opus-5-5,,7,,\n"
    "\n"
    "2026-11-10T10:00:02Z,claude-opus-5-5,1.5,7,,\n"
    "2026-11-10T10:00:02Z,claude-opus-5-5\n"
)
MAP = "timestamp=Time,model=Model,input_tokens=Prompt tokens,output_tokens=Answer"


def lines(*records: dict[str, object]) -> bytes:
    return b"".join(msgspec.json.encode(each) + b"\n" for each in records)


def write(program: Program, name: str, text: bytes) -> str:
    path = program.home / name
    path.write_bytes(text)
    return str(path)


def test_a_file_read_twice_counts_once(program: Program) -> None:
    path = write(program, "a.ndjson", lines(RECORD, RECORD | {"id": "1"}, RECORD))

    first = program.json("import", path)
    second = program.json("import", path)

    assert (first["added"], first["repeated"], first["responses"]) == (2, 1, 2)
    assert (second["added"], second["repeated"], second["responses"]) == (0, 3, 0)
    assert program.json("verify")["differences"] == []


def test_bad_lines_are_listed_with_their_number_and_the_others_kept(
    program: Program,
) -> None:
    good = lines(RECORD | {"id": "1", "colour": "red"})
    path = write(program, "a.ndjson", good + b"\n{broken\n" + lines({"model": "m"}))

    done = program("import", path)

    assert done.returncode == 1
    assert (
        done.stdout == b"3 records = 1 added + 0 repeated + 2 refused; 1 new response\n"
    )
    said = done.stderr.decode()
    assert f"{path}:3: record-json: " in said
    assert f"{path}:4: record-time: timestamp: it has no time" in said
    assert "left out: colour" in said
    problems = program.json("problems", "--no-scan")["rows"]
    assert isinstance(problems, list)
    assert [each["line"] for each in problems] == [3, 4]


def test_a_file_that_was_mended_has_no_problems_left(program: Program) -> None:
    path = write(program, "a.ndjson", b"{broken\n")
    program("import", path)
    write(program, "a.ndjson", lines(RECORD))

    program.json("import", path)

    assert program.json("problems", "--no-scan")["rows"] == []


def test_a_table_is_read_by_its_map(program: Program) -> None:
    path = write(program, "a.csv", b"\xef\xbb\xbf" + TABLE.encode())
    words = (
        "import",
        path,
        "--project",
        "shop",
        "--map",
        MAP,
        "--map",
        "tags.team=Team",
    )

    found = program.json(*words, code=1)

    assert (found["lines"], found["added"], found["refused"]) == (4, 2, 2)
    shown = found["shown"]
    assert isinstance(shown, list)
    assert [(each["line"], each["code"]) for each in shown] == [
        (6, "record-shape"),
        (7, "record-shape"),
    ]
    totals = program.json("projects", "--no-scan")
    assert "shop" in str(totals)


def test_a_table_whose_headings_are_fields_needs_no_map(program: Program) -> None:
    table = (
        "model,timestamp,output_tokens,metadata.user_id\nm,2026-11-10T10:00:00Z,7,u1\n"
    )
    path = write(program, "a.csv", table.encode())

    assert program.json("import", path)["added"] == 1


def test_a_list_and_a_pipe_are_read_too(program: Program) -> None:
    path = write(program, "a.json", msgspec.json.encode([RECORD | {"id": "1"}]))

    assert program.json("import", path)["added"] == 1
    done = program("import", "-", "--json", stdin=lines(RECORD | {"id": "2"}))
    assert msgspec.json.decode(done.stdout, type=dict[str, object])["added"] == 1


def test_a_dry_run_stores_nothing(program: Program) -> None:
    path = write(program, "a.ndjson", lines(RECORD, {"model": ""}))

    said = program.text("import", path, "--dry-run", code=1)

    assert said == "2 records = 1 usable + 1 refused; none stored\n"
    assert program.json("import", path, code=1)["added"] == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("nowhere",), 4, "nowhere"),
        ((".",), 4, "."),
        (("t.csv", "--map", "modell=Model"), 2, "modell"),
        (("t.csv", "--map", "model="), 2, "FIELD=COLUMN"),
        (("t.csv", "--project", ""), 2, "--project"),
        (("t.csv", "--map", "model=Nothing"), 4, "Nothing"),
        (("t.csv",), 4, "no column holds the model"),
        (("empty.csv", "--format", "csv"), 4, "no heading"),
        (("latin.csv",), 4, "UTF-8"),
        (("open.csv",), 4, "sound CSV"),
        (("bad.json",), 4, "malformed"),
    ],
)
def test_what_cannot_be_read_ends_with_a_reason(
    program: Program, words: tuple[str, ...], code: int, said: str
) -> None:
    write(program, "t.csv", TABLE.encode())
    write(program, "empty.csv", b"")
    write(program, "latin.csv", "model,user\nm,é\n".encode("latin-1"))
    write(program, "open.csv", b'model,user\n"m,1\n')
    write(program, "bad.json", b"[1,]")

    done = program("import", *words)

    assert done.returncode == code, done.stderr
    assert said in done.stderr.decode()


def test_a_saved_map_is_used_by_its_name_and_what_is_said_stands_above(
    program: Program,
) -> None:
    program.settings(
        '[import.billing]\nmodel = "Model"\ntimestamp = "Time"\n'
        'output_tokens = "Prompt tokens"\n"tags.team" = "Team"\n'
        '[import.odd]\nmodell = "Model"\n'
    )
    path = write(program, "a.csv", TABLE.encode())

    found = program.json(
        "import", path, "--map", "billing,output_tokens=Answer", code=1
    )
    used = program.json("by", "tag:team", "--no-scan")["rows"]
    odd = program("import", path, "--map", "odd")

    assert found["added"] == 3
    assert isinstance(used, list)
    assert "pay" in str(used)
    assert odd.returncode == 2
    assert b"'modell'" in odd.stderr


def test_a_packed_file_is_read_from_disk_and_from_a_pipe(program: Program) -> None:
    packed = gzip.compress(lines(RECORD, RECORD | {"id": "1"}))

    assert program.json("import", write(program, "a.gz", packed))["added"] == 2
    done = program("import", "-", "--json", stdin=packed)
    assert msgspec.json.decode(done.stdout, type=dict[str, object])["repeated"] == 2


def test_projects_that_records_name_are_listed_from_then_on(program: Program) -> None:
    program.text("project", "add", "shop", "--title", "The shop")
    named = [
        RECORD | {"id": "1", "project_id": "shop"},
        RECORD | {"id": "2", "project_id": "lab", "app": "claude_code"},
    ]
    path = write(program, "a.ndjson", lines(*named))

    program.text("import", path, "--dry-run")
    before = program.text("project", "list")
    program.text("import", path)
    after = program.text("project", "list")

    assert "lab" not in before
    assert re.search(r"^lab .*devtools", after, re.MULTILINE)
    assert "The shop" in after


def test_a_long_file_is_read_in_blocks(program: Program) -> None:
    count = 12_000
    records = [RECORD | {"id": f"{n:06d}", "user": "u" * 40} for n in range(count)]
    path = write(program, "a.ndjson", lines(*records)[:-1])
    table = b"id,model,timestamp,output_tokens\n" + b"".join(
        b"%d,m,2026-11-10T10:00:00Z,7\n" % n for n in range(count)
    )

    assert Path(path).stat().st_size > 1 << 20
    assert program.json("import", path)["added"] == count
    other = write(program, "a.csv", table)
    assert program.json("import", other)["added"] == count


def test_many_problems_are_counted_and_some_shown(program: Program) -> None:
    path = write(program, "a.ndjson", b"{}\n" * 30)

    assert b"and 10 more problems" in program("import", path).stderr


def test_when_there_are_too_many_projects_the_records_come_in_all_the_same(
    program: Program,
) -> None:
    program.text("project", "list")
    ledger = apsw.Connection(str(program.home / "ledger" / "ledger.db"))
    with ledger:
        ledger.executemany(
            "INSERT INTO projects VALUES (?, 'main', 'agents', NULL, 0)",
            ((f"p{number}",) for number in range(PROJECTS_MAX)),
        )
    ledger.close()
    path = write(program, "a.ndjson", lines(RECORD | {"project_id": "more"}))

    done = program("import", path)

    assert done.returncode == 0
    assert b"1 added" in done.stdout
    assert b"tollbook project add" in done.stderr
