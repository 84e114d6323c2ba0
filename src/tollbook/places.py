# pathlib takes longer to import than a status line may:
"""Where a user's files are. Imports nothing slow: a status line needs it.

The folders are those of the platform's own conventions, as ``platformdirs`` gives them;
a test holds the two against each other.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

LEDGER = "ledger.db"
SETTINGS = "config.toml"
SPOOL = "spool"
_NAME = "tollbook"
_DATA = {"darwin": "~/Library/Application Support", "win32": "~/AppData/Local"}


def ledger_path(environ: Mapping[str, str] = os.environ) -> str:
    """The ledger's file: in ``TOLLBOOK_HOME``, else in the platform's data folder."""
    return os.path.join(_folder(environ, "XDG_DATA_HOME", "~/.local/share"), LEDGER)


def settings_path(environ: Mapping[str, str] = os.environ) -> str:
    """The settings' file: in ``TOLLBOOK_HOME``, else the platform's folder for them."""
    return os.path.join(_folder(environ, "XDG_CONFIG_HOME", "~/.config"), SETTINGS)


def spool_folder(environ: Mapping[str, str] = os.environ) -> str:
    """Where a client keeps what it could not send yet."""
    return os.path.join(_folder(environ, "XDG_STATE_HOME", "~/.local/state"), SPOOL)


def _folder(environ: Mapping[str, str], variable: str, usual: str) -> str:
    home = environ.get("TOLLBOOK_HOME", "").strip()
    if home:
        return os.path.abspath(os.path.expanduser(home))
    if sys.platform in _DATA:
        local = environ.get("LOCALAPPDATA", "") if sys.platform == "win32" else ""
        return os.path.join(local or os.path.expanduser(_DATA[sys.platform]), _NAME)
    base = environ.get(variable, "").strip()
    if not os.path.isabs(base):  # the specification: a relative path is ignored
        base = os.path.expanduser(usual)
    return os.path.join(base, _NAME)
