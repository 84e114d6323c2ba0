"""The server when it is killed under load: nothing acknowledged is lost or doubled."""

from __future__ import annotations

import random
import signal
import threading
from http.client import HTTPConnection, HTTPException
from itertools import count

import msgspec
import pytest

from program import Program
from servers import Served, real_server

KILLS = 300
SENDERS = 4
OUTPUT = 7  # tokens of each event
JSON = {"Content-Type": "application/json"}
DONE, BUSY = (200, 201, 207), 503


class Sender(threading.Thread):
    """Sends batches of events until each is acknowledged, some of them twice."""

    def __init__(self, number: int, port: list[int]) -> None:
        super().__init__()
        self.dice = random.Random(number)  # noqa: S311 - not for secrets
        self.names = (f"msg_01KILL{number}{n:017}" for n in count())
        self.port = port
        self.connection = HTTPConnection("127.0.0.1", 0)
        self.acknowledged: list[str] = []
        self.statuses: set[str] = set()
        self.finishing = threading.Event()

    def run(self) -> None:
        """Until told to finish, and the last batch is through."""
        while not self.finishing.is_set():
            batch = self.batch()
            while not self.sent(batch):
                self.finishing.wait(0.01)  # killed, or busy: the same again
        self.connection.close()

    def sent(self, batch: list[str]) -> bool:
        """Whether a server says that it has a batch."""
        try:
            if self.connection.port != self.port[0]:
                self.connection.close()
                self.connection = HTTPConnection("127.0.0.1", self.port[0], timeout=10)
            self.connection.request("POST", "/v1/events", body_of(batch), JSON)
            answer = self.connection.getresponse()
            told = answer.read()
        except (OSError, HTTPException):
            self.connection.close()
            return False
        if answer.status == BUSY:
            return False
        assert answer.status in DONE, told
        results = msgspec.json.decode(told)["results"]
        self.statuses |= {result["status"] for result in results}
        self.acknowledged += [result["id"] for result in results]
        return True

    def batch(self) -> list[str]:
        """Some new events, and one or two that were acknowledged before."""
        names = [next(self.names) for _ in range(self.dice.randrange(1, 20))]
        again = self.acknowledged[-50:]
        return names + self.dice.sample(again, min(2, len(again)))


def body_of(names: list[str]) -> bytes:
    """A batch, each event under its name."""
    events = [
        {
            "project_id": "shop",
            "model": "claude-opus-5-5",
            "provider": "anthropic",
            "message_id": name,
            "timestamp": "2026-11-20T10:00:00Z",
            "input_tokens": 1,
            "output_tokens": OUTPUT,
        }
        for name in names
    ]
    return msgspec.json.encode({"events": events})


@pytest.fixture
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """A program whose clock the events fit, and that nobody measures."""
    made = Program(tmp_path_factory.mktemp("killed"))
    for name in list(made.environ):
        if name.startswith(("COV_", "COVERAGE_")):
            del made.environ[name]
    return made


def test_killed_under_load_a_server_loses_and_doubles_nothing(program: Program) -> None:
    dice = random.Random(7)  # noqa: S311 - not for secrets
    port = [0]
    senders = [Sender(number, port) for number in range(SENDERS)]
    waiting = threading.Event()
    for turn in range(KILLS + 1):
        with real_server(program) as served:
            port[0] = served.port
            if turn == 0:
                for sender in senders:
                    sender.start()
            if turn == KILLS:
                settle(senders)
                break
            waiting.wait(dice.uniform(0.0, 0.15))
            kill(served)
    sent = {name for sender in senders for name in sender.acknowledged}

    assert len(sent) > KILLS, "the load was none"
    assert {status for s in senders for status in s.statuses} == {"added", "repeated"}
    program.text("verify")
    rows = program.json("models")["rows"]
    assert isinstance(rows, list)
    [row] = rows
    assert row["responses"] == len(sent)
    assert row["output_tokens"] == OUTPUT * len(sent)


def kill(served: Served) -> None:
    served.process.send_signal(signal.SIGKILL)
    served.wait()


def settle(senders: list[Sender]) -> None:
    """Let each sender's last batch be acknowledged."""
    for sender in senders:
        sender.finishing.set()
    for sender in senders:
        sender.join(60)
        assert not sender.is_alive()
