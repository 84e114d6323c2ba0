"""Servers as processes of their own, and raw connections to them."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

from program import Program

SECONDS_MAX = 30
ECHO = Path(__file__).parent / "http" / "echo_server.py"
_PLACE = re.compile(r"http://(\S+):([0-9]+)")


class Served:
    """A server that listens.

    ``key`` is the one it printed, if it made one; ``said`` what it wrote on stdout
    until it listened, ``told()`` all of its stderr so far.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.said = ""
        self._told: list[bytes] = []
        assert process.stderr is not None
        self._reader = threading.Thread(target=self._read, args=(process.stderr,))
        self._reader.start()
        self.host, self.port = self._place()
        key = re.search(r"tb_[a-z2-7_]+", self.said)
        self.key = key[0] if key else None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{self.host}:{self.port}"

    @property
    def authority(self) -> bytes:
        """What a ``Host`` line says."""
        return f"{self.host}:{self.port}".encode()

    def told(self) -> str:
        """What it has written on stderr."""
        return b"".join(self._told).decode()

    def connect(self, seconds: float = 10) -> socket.socket:
        """A connection."""
        return socket.create_connection((self.host, self.port), seconds)

    def ask(self, request: bytes, seconds: float = 10) -> bytes:
        """Send bytes; give all that comes back until the connection ends.

        Where the server keeps the connection, the answer is over after ``seconds``.
        """
        with self.connect(seconds) as line:
            with contextlib.suppress(OSError):
                line.sendall(request)
            return read_all(line)

    def stop(self, sign: int = signal.SIGTERM) -> int:
        """Ask it to end, and wait; gives the exit code."""
        self.process.send_signal(sign)
        return self.wait()

    def wait(self) -> int:
        """Wait for its end."""
        try:
            return self.process.wait(SECONDS_MAX)
        finally:
            if self.process.poll() is None:
                self.process.kill()
            self._reader.join(SECONDS_MAX)
            for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
                if pipe is not None:
                    pipe.close()

    def _place(self) -> tuple[str, int]:
        assert self.process.stdout is not None
        for line in iter(self.process.stdout.readline, b""):
            self.said += line.decode()
            if not line.strip():  # an empty line ends what it says
                break
        place = _PLACE.search(self.said)
        if place is None:
            self.wait()
            message = f"it did not start: {self.said} {self.told()}"
            raise AssertionError(message)
        return place[1], int(place[2])

    def _read(self, pipe: IO[bytes]) -> None:
        with contextlib.suppress(ValueError):  # closed while we read
            self._told.extend(iter(pipe.readline, b""))


def read_all(line: socket.socket) -> bytes:
    """What comes until the end of a connection, or of the patience with it."""
    parts = []
    with contextlib.suppress(OSError):
        while part := line.recv(1 << 16):
            parts.append(part)
    return b"".join(parts)


def status_of(answer: bytes) -> int:
    """The first status; 0 where nothing was answered."""
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 0


def error_of(answer: bytes) -> str:
    """The code of an error's body."""
    body = answer.partition(b"\r\n\r\n")[2]
    shape = dict[str, dict[str, str]]
    return msgspec.json.decode(body, type=shape)["error"]["code"]


@contextlib.contextmanager
def echo_server(**settings: int) -> Iterator[Served]:
    """The frame alone: ``http/echo_server.py`` with some of ``[server]``'s settings."""
    words = [f"{name}={value}" for name, value in settings.items()]
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, str(ECHO), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    yield from _until_done(process)


@contextlib.contextmanager
def real_server(
    program: Program, *words: str, command: str = "serve"
) -> Iterator[Served]:
    """``tollbook serve`` on a free port, in a program's home."""
    yield from _until_done(program.start(command, "--port", "0", *words))


def _until_done(process: subprocess.Popen[bytes]) -> Iterator[Served]:
    served = Served(process)
    try:
        yield served
    finally:
        if process.poll() is None:
            assert served.stop() == 0, served.told()
        else:
            served.wait()
