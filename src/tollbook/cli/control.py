"""What the commands for projects and keys begin with, and how they answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import update_wrapper
from typing import Concatenate, ParamSpec

import click

from tollbook.cli.speak import spoken
from tollbook.config import load_config
from tollbook.ports import ControlStore
from tollbook.render.report_json import write_json
from tollbook.wiring import make_control

_P = ParamSpec("_P")

json_option = click.option("--json", "as_json", is_flag=True, help="As JSON")


def with_control(
    command: Callable[Concatenate[ControlStore, _P], None],
) -> Callable[_P, None]:
    """Give a command the store of projects and keys first, and end it properly."""

    def run(*args: _P.args, **options: _P.kwargs) -> None:
        with spoken():
            control = make_control(load_config().config)
            try:
                command(control, *args, **options)
            finally:
                control.close()

    return update_wrapper(run, command)


def answer(document: Mapping[str, object], text: str, *, as_json: bool) -> None:
    """Print one of the two."""
    click.echo(write_json({"version": 1, **document}) if as_json else text)
