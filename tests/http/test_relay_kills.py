"""The relay when it is killed under load: the upstream is the judge of what was served."""

from __future__ import annotations

import random
import signal
import threading
from collections import Counter
from itertools import count
from pathlib import Path

import pytest

from program import Program
from relaying import ask, ledger_of, settings
from servers import real_server
from simulate.upstream import Seen, Step, UpstreamServer, message_of, stream
from tollbook.core.observation import Evidence
from tollbook.core.units import Unit

SENDERS = 4
SESSION = "x-claude-code-session-id"


class Sender(threading.Thread):
    """Asks one thing after the other, each under a session of its own."""

    def __init__(self, number: int, port: list[int]) -> None:
        super().__init__()
        self.names = (f"session-{number}-{n}" for n in count())
        self.port = port
        self.finishing = threading.Event()

    def run(self) -> None:
        """Until told to finish."""
        while not self.finishing.is_set():
            url = f"http://127.0.0.1:{self.port[0]}"
            if ask(url, headers={SESSION: next(self.names)}).status == 0:
                self.finishing.wait(0.02)


class Judge:
    """Serves, slowly, and remembers what to whom."""

    def __init__(self) -> None:
        self.served: dict[str, int] = {}
        self._numbers = count(1)

    def __call__(self, seen: Seen) -> list[Step]:
        """A stream that may still be running when the relay dies."""
        [session] = seen.header(SESSION)
        number = self.served[session] = next(self._numbers)
        head, *rest = stream(number)
        return [head, *(part for step in rest for part in (step, 0.002))]


@pytest.mark.parametrize(
    "kills", [20, pytest.param(200, marks=pytest.mark.night)], ids=str
)
def test_killed_under_load_each_request_that_was_served_has_one_row(
    tmp_path: Path, kills: int
) -> None:
    program = Program(tmp_path)
    program.environ["MOCK_KEY"] = "k"
    for name in [n for n in program.environ if n.startswith(("COV_", "COVERAGE_"))]:
        del program.environ[name]
    judge, port = Judge(), [0]
    senders = [Sender(number, port) for number in range(SENDERS)]
    with UpstreamServer(judge) as upstream:
        program.settings(settings(upstream.url))
        kill_and_kill(program, senders, port, kills)
    rows = ledger_of(program)
    by_session = Counter(row.session for row in rows)
    told = {row.session or "": row for row in rows if row.evidence == Evidence.REPORTED}

    assert len(judge.served) > kills
    assert [s for s in judge.served if by_session[s] != 1] == []
    assert max(by_session.values()) == 1
    assert len(told) > kills
    assert {s: row.message_id for s, row in told.items()} == {
        session: message_of(judge.served[session]) for session in told
    }
    assert {s: row.parts[0].usage[Unit.OUTPUT] for s, row in told.items()} == {
        session: 50 + judge.served[session] for session in told
    }
    program.text("verify")


def kill_and_kill(
    program: Program, senders: list[Sender], port: list[int], kills: int
) -> None:
    """Run one relay after the other; the last one ends in order."""
    dice, waiting = random.Random(11), threading.Event()  # noqa: S311 - not for secrets
    for turn in range(kills + 1):
        with real_server(program, command="relay") as served:
            port[0] = served.port
            if turn == 0:
                for sender in senders:
                    sender.start()
            waiting.wait(dice.uniform(0.02, 0.3))
            if turn < kills:
                served.process.send_signal(signal.SIGKILL)
                served.wait()
                continue
            for sender in senders:
                sender.finishing.set()
            for sender in senders:
                sender.join(30)
