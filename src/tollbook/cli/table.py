"""Every command, what it is for and where it lives. Nothing here imports a command."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

REPORTS = "What was spent"
LEDGER = "The ledger"
TEAMS = "For teams"
PRICES = "Prices and settings"
ELSEWHERE = "In Claude Code"


class Entry:
    """A command before it is loaded.

    Args:
        module: Where it lives.
        help: One line, for the list of commands.
        section: Under which heading it is listed.
        bare: It has ``run(argv) -> int`` instead of a click command.
    """

    __slots__ = ("bare", "help", "module", "section")

    def __init__(
        self,
        module: str,
        help: str,  # noqa: A002 - the word every command line library uses
        section: str,
        *,
        bare: bool = False,
    ) -> None:
        self.module = module
        self.help = help
        self.section = section
        self.bare = bare


COMMANDS: dict[str, Entry] = {
    "overview": Entry(
        "tollbook.cli.overview", "Today, this week, this month; the default", REPORTS
    ),
    "daily": Entry("tollbook.cli.daily", "By day", REPORTS),
    "weekly": Entry("tollbook.cli.weekly", "By week", REPORTS),
    "monthly": Entry("tollbook.cli.monthly", "By month", REPORTS),
    "sessions": Entry("tollbook.cli.sessions", "By conversation", REPORTS),
    "projects": Entry("tollbook.cli.projects", "By project", REPORTS),
    "models": Entry("tollbook.cli.models", "By model", REPORTS),
    "by": Entry("tollbook.cli.by", "By branch, agent, skill, tool, hour, ...", REPORTS),
    "blocks": Entry(
        "tollbook.cli.blocks", "By 5-hour window, with its burn rate", REPORTS
    ),
    "show": Entry(
        "tollbook.cli.show", "One session or response, down to file and line", REPORTS
    ),
    "scan": Entry("tollbook.cli.scan", "Read what is new into the ledger", LEDGER),
    "import": Entry(
        "tollbook.cli.import_", "Bring in records from a file: JSON or CSV", LEDGER
    ),
    "review": Entry(
        "tollbook.cli.review", "Which requests told too little of their usage", LEDGER
    ),
    "backfill": Entry(
        "tollbook.cli.backfill", "Fill what they lack, and take it back", LEDGER
    ),
    "estimator": Entry(
        "tollbook.cli.estimator", "How tokens are estimated, and how well", LEDGER
    ),
    "verify": Entry(
        "tollbook.cli.verify", "Derive everything again and compare", LEDGER
    ),
    "problems": Entry(
        "tollbook.cli.problems", "What could not be read, and why", LEDGER
    ),
    "doctor": Entry("tollbook.cli.doctor", "Look after the ledger's health", LEDGER),
    "serve": Entry("tollbook.cli.serve", "Run the server", TEAMS),
    "relay": Entry("tollbook.cli.relay", "Run the relay to the Messages API", TEAMS),
    "probe": Entry("tollbook.cli.probe", "Ask an upstream what it reports", TEAMS),
    "connect": Entry(
        "tollbook.cli.connect", "Print what makes Claude Code report to a server", TEAMS
    ),
    "project": Entry("tollbook.cli.project", "Add, list and change projects", TEAMS),
    "key": Entry("tollbook.cli.key", "Make, list and revoke keys", TEAMS),
    "push": Entry("tollbook.cli.push", "Send what is new to a team's server", TEAMS),
    "prices": Entry("tollbook.cli.prices", "List, show and check the prices", PRICES),
    "config": Entry(
        "tollbook.cli.config_cmd", "Show the settings and where they come from", PRICES
    ),
    "statusline": Entry(
        "tollbook.cli.statusline",
        "One line for Claude Code's status line",
        ELSEWHERE,
        bare=True,
    ),
}


def load(module: str) -> ModuleType:
    """Import a module now that it is needed."""
    return import_module(module)


def page() -> str:
    """What ``tollbook --help`` says."""
    lines = [
        "Usage: tollbook [COMMAND] [OPTIONS] [ARGS]...",
        "",
        "  The ledger of what Claude costs. Without a command: the overview.",
    ]
    width = max(map(len, COMMANDS))
    for section in dict.fromkeys(entry.section for entry in COMMANDS.values()):
        lines += ["", f"{section}:"]
        lines += [
            f"  {name:<{width}}  {entry.help}"
            for name, entry in COMMANDS.items()
            if entry.section == section
        ]
    lines += [
        "",
        "Options:",
        f"  {'--version':<{width}}  Show the version and exit",
        f"  {'--help':<{width}}  Show this and exit; behind a command: its options",
    ]
    return "\n".join(lines) + "\n"
