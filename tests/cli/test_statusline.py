"""tollbook statusline: a useful line whatever comes in."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import apsw
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from program import Program, answer
from tollbook.cli import statusline
from tollbook.cli.statusline import status_line

NOW = int(time.time())
SAID = {
    "model": {"id": "claude-opus-5-5", "display_name": "Opus 5.5"},
    "cost": {"total_cost_usd": 0.0246},
    "context_window": {"used_percentage": 12},
    "rate_limits": {
        "five_hour": {"used_percentage": 23.5, "resets_at": NOW + 3600},
        "seven_day": {"used_percentage": 91.2, "resets_at": NOW + 400_000},
    },
}
HOSTILE = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"3",
    b'"text"',
    b"\xff\xfe\x00",
    b"[" * 100_000,
    b'{"model":null,"cost":null,"context_window":null,"rate_limits":null}',
    b'{"cost":{"total_cost_usd":1e999}}',
    b'{"cost":{"total_cost_usd":NaN}}',
    b'{"cost":{"total_cost_usd":-1}}',
    b'{"cost":{"total_cost_usd":' + b"9" * 5000 + b"}}",
    b'{"context_window":{"used_percentage":"many"}}',
    b'{"rate_limits":{"five_hour":{"used_percentage":5,"resets_at":1e300}}}',
    b'{"rate_limits":{"five_hour":{"used_percentage":5,"resets_at":-1}}}',
    b'{"rate_limits":{"five_hour":[],"seven_day":7}}',
    b'{"model":{"display_name":{"a":1},"id":5}}',
    b'{"model":{"display_name":"\\ud800 \\u001b[31m \\u202e"}}',
]


def line(program: Program, said: object = SAID) -> str:
    stdin = said if isinstance(said, bytes) else msgspec.json.encode(said)
    done = program("statusline", stdin=stdin)
    assert done.returncode == 0
    assert done.stderr == b""
    text = done.stdout.decode()
    assert text.count("\n") == 1
    assert text.strip()
    return re.sub(r"\x1b\[\d+m", "", text.rstrip("\n"))


def recent(program: Program) -> None:
    """A response of just now, scanned."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(NOW))
    program.write("one", answer(1, timestamp=stamp))
    program.text("scan")


def test_it_says_all_that_claude_code_and_the_ledger_know(program: Program) -> None:
    recent(program)

    shown = line(program)

    # 100 tokens at 4 and 500 at 20 dollars per million are 0.0104 dollars.
    assert shown.startswith("Opus 5.5 | session $0.02 | today $0.01 | block $0.01 (")
    assert "context 12% | 5h 24% until " in shown
    assert "7d 91% until " in shown


@pytest.mark.parametrize("stdin", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_comes_in_a_line_goes_out(program: Program, stdin: bytes) -> None:
    assert line(program, stdin).isprintable()


def test_colours_mark_what_runs_out_unless_nobody_wants_them(program: Program) -> None:
    stdin = msgspec.json.encode(SAID)
    program.environ.pop("NO_COLOR", None)
    assert b"\x1b[31m7d 91%\x1b[0m" in program("statusline", stdin=stdin).stdout

    program.environ["NO_COLOR"] = ""  # by the convention as good as not set
    assert b"\x1b[31m7d 91%\x1b[0m" in program("statusline", stdin=stdin).stdout

    program.environ["NO_COLOR"] = "1"
    assert b"\x1b" not in program("statusline", stdin=stdin).stdout


def test_without_a_ledger_there_is_still_a_line_and_none_is_made(
    program: Program,
) -> None:
    assert "today" not in line(program)
    assert "nothing recorded yet" in line(program, b"")
    assert not (program.home / "ledger").exists()


def test_a_foreign_or_damaged_ledger_is_left_alone(program: Program) -> None:
    path = program.home / "ledger" / "ledger.db"
    path.parent.mkdir()
    for data in (b"", b"no database at all" * 1000):
        path.write_bytes(data)
        assert "today" not in line(program)
        assert path.read_bytes() == data
    path.unlink()
    with apsw.Connection(str(path)) as other:
        other.execute("CREATE TABLE usage_by_project (slot TEXT)")
    assert "today" not in line(program)


def test_a_ledger_that_is_being_written_does_not_hold_it_up(program: Program) -> None:
    recent(program)
    writer = apsw.Connection(str(program.home / "ledger" / "ledger.db"))
    writer.execute("BEGIN EXCLUSIVE")
    try:
        assert "today $0.01" in line(program)
    finally:
        writer.execute("ROLLBACK")
        writer.close()


def test_an_open_stdin_does_not_hold_it_up(program: Program) -> None:
    running = program.start("statusline")
    try:
        assert running.wait(timeout=30) == 0
    finally:
        out, _ = running.communicate()

    assert out


def test_an_old_figure_carries_its_time(program: Program) -> None:
    recent(program)
    ledger = apsw.Connection(str(program.home / "ledger" / "ledger.db"))
    ledger.execute("UPDATE segments SET recorded_at = recorded_at - 7200000")
    ledger.close()

    assert re.search(r"today \$0\.01 \(as of \d\d:\d\d\)", line(program))


def test_the_settings_choose_currency_and_zone(program: Program) -> None:
    recent(program)
    program.settings(
        '[display]\ntimezone = "Asia/Kathmandu"\ncurrency = "EUR"\nrate = "100"\n'
    )

    shown = line(program)

    assert "session 2.46 EUR" in shown
    assert re.search(r"5h 24% until \d\d:\d\d", shown)


@pytest.mark.parametrize(
    "text", ["[display", 'display = "x"', '[display]\ntimezone = 3\ncurrency = "€"\n']
)
def test_wrong_settings_are_left_aside(program: Program, text: str) -> None:
    program.settings(text)

    assert "session $0.02" in line(program)


def test_an_unpriced_response_of_today_is_never_free(program: Program) -> None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(NOW))
    program.write("one", answer(1, timestamp=stamp, model="claude-unknown-9"))
    program.text("scan")

    assert "today $0.00 + unpriced" in line(program)


def test_without_a_running_block_today_stands_alone(program: Program) -> None:
    recent(program)

    assert line(program, {"model": {"id": "claude-opus-5-5"}}) == (
        "claude-opus-5-5 | today $0.01"
    )


def test_a_zone_nobody_knows_is_the_systems(program: Program) -> None:
    recent(program)
    program.environ["TOLLBOOK_TIMEZONE"] = "Mars/Olympus"

    assert "today $0.01" in line(program)


@pytest.mark.parametrize("rate", ["1.5.2", "-1", "many", "\u0661"])
def test_a_rate_that_is_no_number_leaves_dollars(program: Program, rate: str) -> None:
    program.environ |= {"TOLLBOOK_CURRENCY": "EUR", "TOLLBOOK_RATE": rate}

    assert "session $0.02" in line(program)


def test_more_than_anybody_says_is_not_read_to_its_end(program: Program) -> None:
    said = msgspec.json.encode(SAID)

    shown = line(program, said + b" " * (3 << 20))

    assert shown.startswith("Opus 5.5 | session $0.02")


def test_on_a_terminal_nobody_is_waited_for(program: Program) -> None:
    recent(program)
    master, slave = os.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "tollbook", "statusline"],
        env=program.environ,
        cwd=program.home,
        stdin=slave,
        capture_output=True,
        timeout=30,
        check=False,
    )
    os.close(slave)
    os.close(master)

    assert done.returncode == 0
    assert done.stdout == b"today $0.01\n"


def test_a_reader_who_has_gone_hears_no_complaint(program: Program) -> None:
    running = program.start("statusline")
    assert running.stdout
    running.stdout.close()
    _, said = running.communicate(b"{}", timeout=30)

    assert running.returncode == 0
    assert said == b""


def test_a_fault_of_our_own_shows_a_line_too(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    def fail(said: object, now: float) -> str:
        raise ZeroDivisionError(said, now)

    monkeypatch.setattr(statusline, "status_line", fail)
    monkeypatch.setattr(sys, "stdin", None)

    assert statusline.run([]) == 0
    assert capfdbinary.readouterr() == (
        b"tollbook: no figures; see `tollbook doctor`\n",
        b"",
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*SAID]), inner),
)


@given(said=st.dictionaries(st.sampled_from([*SAID]), JSON) | JSON)
def test_no_shape_of_json_stops_it(said: object) -> None:
    shown = re.sub(r"\x1b\[\d+m", "", status_line(said, NOW))

    assert shown
    assert shown.isprintable()


def test_it_has_no_options(program: Program, tmp_path: Path) -> None:
    assert program("statusline", "--nosuch").returncode == 2
    assert "settings.json" in program.text("statusline", "--help")
    assert list(tmp_path.iterdir()) == []
