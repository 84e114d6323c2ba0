"""How a run ends: the exit codes, and one clear line instead of a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tollbook.core.errors import TollbookError
from tollbook.render.safe import safe

EXIT_FOUND = 1  # differences or problems were found
EXIT_USAGE = 2
EXIT_OUTPUT = 6  # the answer could not be written
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells count


def warn(text: str) -> None:
    """Tell the reader something beside the report."""
    sys.stderr.write(f"tollbook: {safe(text)}\n")


@contextmanager
def spoken() -> Iterator[None]:
    """Say what went wrong in one line, and end with the documented exit code."""
    try:
        yield
        sys.stdout.flush()
    except TollbookError as error:
        warn(str(error))
        sys.exit(error.exit_code)
    except BrokenPipeError:  # the reader of the pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:  # the disk under standard output is full
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        place = error.filename or "the output"
        warn(f"{place}: {error.strerror or error}; make room or check the permissions")
        sys.exit(EXIT_OUTPUT)
    except KeyboardInterrupt:
        warn("interrupted; everything read so far is kept")
        sys.exit(EXIT_INTERRUPTED)
