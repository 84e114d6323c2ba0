"""The frame of the server as a process, around routes that tell what they hear.

It prints where it listens. The words of its command line are settings, such as
``head_seconds=1``.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1]))

from http_frame import Frame
from tollbook.config import Server as Settings
from tollbook.http.journal import Journal
from tollbook.http.listen import bind
from tollbook.http.server import Server


def greet(port: int) -> None:
    sys.stdout.write(f"http://127.0.0.1:{port}\n\n")
    sys.stdout.flush()


def main() -> None:
    words = dict(word.split("=") for word in sys.argv[1:])
    settings = msgspec.convert(words, Settings, strict=False)
    journal = Journal(verbose=True)
    frame = Frame(settings, journal=journal)
    listener = bind("127.0.0.1", 0)
    port = listener.getsockname()[1]
    server = Server(frame.app, settings, journal, started=partial(greet, port))
    server.run([listener])


if __name__ == "__main__":
    main()
