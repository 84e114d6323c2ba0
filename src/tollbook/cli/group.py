"""From the words of the command line to the command that is meant."""

from __future__ import annotations

from collections.abc import Sequence

import click

from tollbook.cli.speak import EXIT_USAGE, spoken
from tollbook.cli.table import COMMANDS, load, page
from tollbook.render.safe import safe

_DEFAULT = "overview"
_HELP = ("--help", "-h")


class Commands(click.Group):
    """All commands of the table; only the one that is called is imported."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name, in the table's order."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; ``None`` when there is none of that name."""
        del ctx
        entry = COMMANDS.get(cmd_name)
        if entry is None or entry.bare:
            return None
        command = load(entry.module).command
        assert isinstance(command, click.Command), f"{entry.module} has no command"
        return command

    def get_help(self, ctx: click.Context) -> str:
        """The table's own page."""
        del ctx
        return page().rstrip("\n")

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Say what is there when a name is not."""
        if args[0] not in COMMANDS:
            text = f"there is no command {safe(args[0])!r}; see tollbook --help"
            raise click.UsageError(text)
        return super().resolve_command(ctx, args)


root = Commands("tollbook", context_settings={"help_option_names": _HELP})


def run(words: Sequence[str]) -> int:
    """Run the command that is meant; give the exit code.

    Options without a command belong to the overview.
    """
    words = list(words)
    if not words or (words[0].startswith("-") and words[0] not in _HELP):
        words.insert(0, _DEFAULT)
    with spoken():
        try:
            code = root.main(words, prog_name="tollbook", standalone_mode=False)
        except click.exceptions.Abort as error:
            raise KeyboardInterrupt from error
        except click.ClickException as error:
            error.show()
            return EXIT_USAGE
    return code if isinstance(code, int) else 0
