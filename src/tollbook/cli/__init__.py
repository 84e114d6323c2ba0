"""The command line: one module per command, loaded when it is called."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from importlib import import_module

from tollbook import __version__

_BARE = "tollbook.cli.statusline"
_TABLE = "tollbook.cli.table"
_GROUP = "tollbook.cli.group"


def main() -> None:
    """Run tollbook with the words of the command line, and end the process.

    The status line is drawn after every turn of a conversation, so it comes before
    everything that costs time; so do help and version.
    """
    gc.disable()  # a command ends before rubbish that refers to itself could matter
    words = sys.argv[1:]
    if words[:1] == ["statusline"]:
        sys.exit(import_module(_BARE).run(words[1:]))
    if words in (["--help"], ["-h"], ["help"]):
        sys.stdout.write(import_module(_TABLE).page())
    elif words in (["--version"], ["-V"]):
        sys.stdout.write(f"tollbook {__version__}\n")
    else:
        _end(import_module(_GROUP).run(words))


def _end(code: int) -> None:
    """End now that everything is written and closed.

    The interpreter would take its modules apart first, one object after the other, which
    costs a short command a tenth of its time. Where threads still run it must wait.
    """
    if len(sys._current_frames()) == 1:  # noqa: SLF001  # documented, and no import
        atexit._run_exitfuncs()  # noqa: SLF001  # the only way to keep their promise
        os._exit(code)
    sys.exit(code)
