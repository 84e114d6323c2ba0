"""``tollbook statusline``: Claude Code's JSON on stdin, one line out, at once.

Claude Code runs it after every turn (https://code.claude.com/docs/en/statusline, read
2026-11-22), with any field absent or null::

    {"model": {"id": "claude-opus-5-5", "display_name": "Opus 5.5"},
     "cost": {"total_cost_usd": 0.0246},
     "context_window": {"used_percentage": 12},
     "rate_limits": {"five_hour": {"used_percentage": 23.5, "resets_at": 1795330800}}}

Nothing is scanned here and nothing waits: what the ledger knew last is shown, with its
age. Nothing slow is imported either, and nothing that comes in can stop the line.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections.abc import Sequence

from tollbook.cli.late import TIME, TOML, ZONES, late
from tollbook.places import ledger_path, settings_path
from tollbook.render.safe import safe
from tollbook.stores.sqlite.glance import Glance, glance

_HELP = """Usage: tollbook statusline

  One line for Claude Code: the model, what this session cost as Claude Code states it,
  what today cost at list price as the ledger knows it, the current 5-hour block, the
  context and the rate limits. Reads Claude Code's JSON on stdin. Put into
  ~/.claude/settings.json:

      {"statusLine": {"type": "command", "command": "tollbook statusline"}}

Options:
  -h, --help  Show this message and exit.
"""
_INPUT_BYTES_MAX = 1 << 20
_INPUT_SECONDS_MAX = 0.5
_NAME_CHARACTERS_MAX = 40
_BLOCK_SECONDS = 5 * 3600
_STALE_SECONDS = 600
_DAY_SECONDS = 86_400
_PICO = 10**12
_CENT_PICO = 10**10
_DOLLARS_MAX = 1e9
_SECONDS_MAX = 1e11
_HIGH, _VERY_HIGH = 60, 85
_YELLOW, _RED, _PLAIN = "\x1b[33m", "\x1b[31m", "\x1b[0m"


def run(argv: Sequence[str]) -> int:
    """Print the line; whatever comes in, the exit code is 0."""
    if argv:
        asked = argv[0] in {"-h", "--help"}
        (sys.stdout if asked else sys.stderr).write(_HELP)
        return 0 if asked else 2
    try:
        line = status_line(_parse(_read_stdin()), time.time())
    except Exception:  # noqa: BLE001 - a status line that fails shows nothing at all
        line = "tollbook: no figures; see `tollbook doctor`"
    try:
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.buffer.write(f"{line}\n".encode(encoding, "replace"))
        sys.stdout.flush()
    except OSError:  # nobody reads it any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0


def _read_stdin() -> bytes:
    """All that comes, but not for ever."""
    if sys.stdin is None or sys.stdin.isatty():
        return b""
    handle = sys.stdin.fileno()
    found = b""
    until = time.monotonic() + _INPUT_SECONDS_MAX
    while len(found) < _INPUT_BYTES_MAX:
        left = max(0.0, until - time.monotonic())
        if os.name != "nt" and not select.select([handle], [], [], left)[0]:
            break
        piece = os.read(handle, 65_536)
        if not piece:
            break
        found += piece
    return found


def _parse(data: bytes) -> object:
    try:
        return json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def status_line(said: object, now: float) -> str:
    """The line, from what Claude Code said and what the ledger knows."""
    clock = _Clock()
    resets_at = _number(said, "rate_limits", "five_hour", "resets_at")
    began = resets_at - _BLOCK_SECONDS if resets_at and resets_at > now else None
    since = [clock.day_start(now), *([began] if began is not None else [])]
    known = glance(ledger_path(), [int(start * 1000) for start in since])
    pieces = [
        _model(said),
        _session(said, clock),
        *_ledger(known, began, now, clock),
        _share("context", _number(said, "context_window", "used_percentage")),
        _limit("5h", _dig(said, "rate_limits", "five_hour"), now, clock),
        _limit("7d", _dig(said, "rate_limits", "seven_day"), now, clock),
    ]
    shown = " | ".join(piece for piece in pieces if piece)
    return shown or "tollbook: nothing recorded yet; run `tollbook scan`"


def _model(said: object) -> str:
    model = _dig(said, "model")
    for name in (_dig(model, "display_name"), _dig(model, "id"), model):
        if isinstance(name, str) and name.strip():
            return safe(name.strip()[:_NAME_CHARACTERS_MAX])
    return ""


def _session(said: object, clock: _Clock) -> str:
    stated = _number(said, "cost", "total_cost_usd")
    if stated is None or not 0 <= stated < _DOLLARS_MAX:
        return ""
    return f"session {clock.money(round(stated * _PICO))}"


def _ledger(
    known: Glance | None, began: float | None, now: float, clock: _Clock
) -> list[str]:
    if known is None:
        return []
    costs, unpriced, recorded_at = known
    today = f"today {clock.money(costs[0])}"
    if unpriced:
        today += " + unpriced"
    read_at = (recorded_at or 0) / 1000
    if now - read_at > _STALE_SECONDS and read_at:
        today += f" (as of {clock.moment(read_at, now)})"
    if began is None:
        return [today]
    hours = max(now - began, 900) / 3600
    burn = clock.money(int(costs[1] / hours))
    return [today, f"block {clock.money(costs[1])} ({burn}/h)"]


def _share(name: str, percent: float | None) -> str:
    if percent is None or not 0 <= percent <= 1000:  # noqa: PLR2004 - no percentage
        return ""
    text = f"{name} {percent:.0f}%"
    if percent < _HIGH or os.environ.get("NO_COLOR"):
        return text
    return f"{_RED if percent >= _VERY_HIGH else _YELLOW}{text}{_PLAIN}"


def _limit(name: str, window: object, now: float, clock: _Clock) -> str:
    text = _share(name, _number(window, "used_percentage"))
    resets_at = _number(window, "resets_at")
    if text and resets_at is not None and now < resets_at < _SECONDS_MAX:
        text += f" until {clock.moment(resets_at, now)}"
    return text


def _dig(said: object, *path: str) -> object:
    for key in path:
        said = said.get(key) if isinstance(said, dict) else None
    return said


def _number(said: object, *path: str) -> float | None:
    """A finite number, whatever else may stand there."""
    value = _dig(said, *path)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < _SECONDS_MAX else None


class _Clock:
    """Local time and money as the settings want them; a wrong setting is left aside."""

    def __init__(self) -> None:
        settings = _settings()
        self._currency, self._rate = _exchange(settings)
        name = os.environ.get("TOLLBOOK_TIMEZONE") or settings.get("timezone")
        self._zone = _zone(name) if isinstance(name, str) and name else None

    def money(self, pico: int) -> str:
        """Two places, rounded half to even."""
        up, down = self._rate
        cents, rest = divmod(pico * up, _CENT_PICO * down)
        half = _CENT_PICO * down
        cents += 2 * rest > half or (2 * rest == half and cents % 2)
        text = f"{cents // 100:,}.{cents % 100:02}"
        return f"${text}" if self._currency == "USD" else f"{text} {self._currency}"

    def day_start(self, now: float) -> float:
        """The first second of the local day."""
        if self._zone is None:
            local = time.localtime(now)
            return time.mktime((*local[:3], 0, 0, 0, 0, 0, -1))
        day = late(TIME).datetime.fromtimestamp(now, self._zone)
        start = day.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        return float(start.timestamp())

    def moment(self, at: float, now: float) -> str:
        """The local time of day, with the weekday when it is far away."""
        shape = "%H:%M" if abs(at - now) < _DAY_SECONDS else "%a %H:%M"
        if self._zone is None:
            return time.strftime(shape, time.localtime(at))
        return str(late(TIME).datetime.fromtimestamp(at, self._zone).strftime(shape))


def _settings() -> dict[str, object]:
    """``[display]``, if the file says something that matters here."""
    try:
        with open(settings_path(), "rb") as file:
            data = file.read(_INPUT_BYTES_MAX)
        if b"timezone" not in data and b"currency" not in data:
            return {}
        display = late(TOML).loads(data.decode()).get("display")
    except (OSError, ValueError, RecursionError):
        return {}
    return display if isinstance(display, dict) else {}


def _exchange(settings: dict[str, object]) -> tuple[str, tuple[int, int]]:
    """The currency, and its rate as a fraction."""
    currency = os.environ.get("TOLLBOOK_CURRENCY") or settings.get("currency")
    rate = os.environ.get("TOLLBOOK_RATE") or settings.get("rate")
    if isinstance(currency, str) and isinstance(rate, str):
        whole, _, rest = rate.partition(".")
        digits = whole + rest
        if digits.isascii() and digits.isdigit() and currency.isalpha():
            return safe(currency[:3]), (int(digits), 10 ** len(rest))
    return "USD", (1, 1)


def _zone(name: str) -> object:
    try:
        return late(ZONES).ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None
