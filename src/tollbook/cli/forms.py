"""``--json`` and ``--csv``, for commands that are no reports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import update_wrapper
from typing import Any, TypeVar

import click

from tollbook.cli.late import CSV, late

_R = TypeVar("_R")
AS_JSON, AS_CSV, AS_TEXT = "json", "csv", "text"


def forms(
    *, json: str = "As JSON", csv: str
) -> Callable[[Callable[..., _R]], Callable[..., _R]]:
    """Give a command a ``form``: ``AS_JSON``, ``AS_CSV`` or ``AS_TEXT``.

    Args:
        json: What the JSON is, for ``--help``.
        csv: What the CSV has a row for.
    """

    def decorate(command: Callable[..., _R]) -> Callable[..., _R]:
        def run(*args: Any, as_json: bool, as_csv: bool, **options: Any) -> _R:  # noqa: ANN401 - click's own
            if as_json and as_csv:
                text = "--json and --csv exclude each other; leave one of them out"
                raise click.UsageError(text)
            form = AS_JSON if as_json else AS_CSV if as_csv else AS_TEXT
            return command(*args, form=form, **options)

        update_wrapper(run, command)
        as_csv = click.option("--csv", "as_csv", is_flag=True, help=f"As CSV: {csv}")
        return click.option("--json", "as_json", is_flag=True, help=json)(as_csv(run))

    return decorate


def say_csv(titles: Iterable[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a table; rows have the titles' order."""
    click.echo(late(CSV).write_csv(titles, rows), nl=False)
