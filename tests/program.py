"""Running the real program, as a user's shell does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import msgspec

SECONDS_MAX = 60
Done = subprocess.CompletedProcess[bytes]


class Program:
    """tollbook in a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environ = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TOLLBOOK_", "CLAUDE_", "XDG_"))
        } | {"HOME": str(home), "TOLLBOOK_HOME": str(home / "ledger"), "TZ": "UTC"}

    def __call__(
        self, *words: str, stdin: bytes = b"", options: tuple[str, ...] = ()
    ) -> Done:
        """Run it, and wait for its end."""
        return subprocess.run(  # noqa: S603 - our own program
            [sys.executable, *options, "-m", "tollbook", *words],
            input=stdin,
            env=self.environ,
            cwd=self.home,
            capture_output=True,
            timeout=SECONDS_MAX,
            check=False,
        )

    def limited(self, kilobytes: int, *words: str) -> Done:
        """Run it where no file may grow beyond a size, as on a full disk."""
        shell = f'ulimit -f {kilobytes}; exec "$@"'
        return subprocess.run(  # noqa: S603 - our own program
            ["/bin/bash", "-c", shell, "-", sys.executable, "-m", "tollbook", *words],
            env=self.environ,
            cwd=self.home,
            capture_output=True,
            timeout=SECONDS_MAX,
            check=False,
        )

    def start(
        self, *words: str, stdout: int | IO[bytes] = subprocess.PIPE
    ) -> subprocess.Popen[bytes]:
        """Run it beside others."""
        return subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "tollbook", *words],
            env=self.environ,
            cwd=self.home,
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=subprocess.PIPE,
        )

    def text(self, *words: str, code: int = 0) -> str:
        """What it printed, when it ended as expected."""
        done = self(*words)
        assert done.returncode == code, done.stderr.decode()
        return done.stdout.decode()

    def json(self, *words: str, code: int = 0) -> dict[str, object]:
        """The document it printed."""
        return msgspec.json.decode(
            self.text(*words, "--json", code=code), type=dict[str, object]
        )

    def write(self, name: str, *lines: bytes, project: str = "-home-me-shop") -> Path:
        """A transcript below the home."""
        path = self.home / ".claude" / "projects" / project / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        return path

    def settings(self, text: str) -> None:
        """The user's config.toml."""
        path = self.home / "ledger" / "config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def answer(number: int, **more: object) -> bytes:
    """A transcript's line with one response: 100 tokens in, 500 out, on Opus 5.5."""
    message = {
        "model": more.pop("model", "claude-opus-5-5"),
        "id": f"msg_01{number:022d}",
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": "end_turn",
        "usage": {
            "input_tokens": 100,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 500,
            "service_tier": "standard",
        },
    }
    line = {
        "type": "assistant",
        "timestamp": f"2026-11-10T12:00:{number % 60:02d}.000Z",
        "sessionId": "4bc1a0de-0000-4000-8000-000000000001",
        "requestId": f"req_011{number:021d}",
        "uuid": f"u{number}",
        "cwd": "/home/me/shop",
        "isSidechain": False,
        "message": message,
    }
    return msgspec.json.encode(line | more)
