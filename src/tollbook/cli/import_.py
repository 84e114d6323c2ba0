"""``tollbook import``: bring records from a file into the ledger."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from secrets import token_hex
from typing import cast

import click
import msgspec

from tollbook.cli.context import App, with_app
from tollbook.cli.speak import EXIT_FOUND, warn
from tollbook.core.control import Key, unfit
from tollbook.core.errors import (
    NotAllowedError,
    NothingMatchesError,
    SourceRejectedError,
)
from tollbook.formats.ingest import Given
from tollbook.formats.records_csv import is_field
from tollbook.ledger.projects import ProjectBook, kind_of
from tollbook.ports import Appended
from tollbook.render.figures import plural
from tollbook.render.report_json import write_json
from tollbook.sources.records import Form, Import, RecordFile, size_of
from tollbook.wiring import make_control

_STDIN = "-"
_IMPORTER = Key(id="", name="import", scopes=frozenset(), created_at=0)
"""Who makes the projects that a file names."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line said. The names are those of the options."""

    project: str | None = None
    maps: tuple[str, ...] = ()
    form: Form | None = None
    dry_run: bool = False
    as_json: bool = False


@click.command(
    name="import", epilog="Example: tollbook import usage.ndjson --project shop"
)
@click.argument("file", metavar="FILE|-")
@click.option("--project", metavar="ID", help="The project of records that name none")
@click.option(
    "--map",
    "maps",
    multiple=True,
    metavar="FIELD=COLUMN,...|NAME",
    help="Which column of a table holds which field, or a saved map; may be repeated",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["ndjson", "json", "csv"]),
    help="How to read it; usually as it looks",
)
@click.option("--dry-run", is_flag=True, help="Say what would come in; store nothing")
@click.option("--json", "as_json", is_flag=True, help="The counts as one JSON object")
@with_app
def command(app: App, /, file: str, **options: object) -> int:
    """Bring in records from a file: lines of JSON, a JSON list, or a CSV table."""
    asked = msgspec.convert(options, Asked)
    if asked.project is not None and (wrong := unfit(asked.project)):
        text = f"--project: the name {wrong}; choose another"
        raise NothingMatchesError(text)
    with _opened(file) as opened:
        source = RecordFile(opened, _order(app, file, asked))
        if asked.dry_run:
            found = _counted(source)
        else:
            found = app.scan([source], quiet=asked.as_json)
            _make_projects(app, source)
    click.echo(_json(found, source) if asked.as_json else _text(found, asked))
    _tell(found, source)
    return EXIT_FOUND if found.refused else 0


@contextmanager
def _opened(path: str) -> Iterator[io.BufferedReader]:
    if path == _STDIN:
        yield cast("io.BufferedReader", sys.stdin.buffer)
        return
    try:
        file = open(path, "rb")  # noqa: SIM115  # closed below
    except OSError as error:
        text = f"{path}: {error.strerror}; correct the path or its permissions"
        raise SourceRejectedError(text) from error
    with file:
        yield file


def _order(app: App, path: str, asked: Asked) -> Import:
    given = Given(
        now=app.now,
        nonce=token_hex(16),
        project=asked.project,
        timeless=False,
        past_max=None,
    )
    stdin = path == _STDIN
    return Import(
        origin="standard input" if stdin else os.path.abspath(path),
        size=0 if stdin else size_of(path),
        given=given,
        form=asked.form,
        columns=_columns(asked.maps, app.config.imports),
    )


def _columns(
    maps: tuple[str, ...], saved: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    """The fields and their columns; what is said later is above.

    Raises:
        NothingMatchesError: A part of the map names no field, or no column.
    """
    columns: dict[str, str] = {}
    for part in (part.strip() for given in maps for part in given.split(",")):
        field, equals, column = (word.strip() for word in part.partition("="))
        pairs = saved.get(part, {}) if not equals else {field: column}
        wrong = [
            name for name, place in pairs.items() if not (place and is_field(name))
        ]
        if wrong or not pairs:
            text = (
                f"--map: {(wrong or [part])[0]!r} is no FIELD=COLUMN with a field of a "
                "record, e.g. model=Model or tags.team=Team, and no [import.NAME] of the "
                "settings"
            )
            raise NothingMatchesError(text)
        columns |= pairs
    return columns


def _make_projects(app: App, source: RecordFile) -> None:
    """List the projects that records name and that are new."""
    control = make_control(app.config)
    try:
        known = {each.id for each in control.projects()}
        book = ProjectBook(control)
        for project, reporter in source.projects.items():
            if project not in known:
                kind = kind_of(reporter)
                book.admit(project, key=_IMPORTER, kind=kind, now=app.now)
    except NotAllowedError as error:
        warn(str(error))
    finally:
        control.close()


def _counted(source: RecordFile) -> Appended:
    """How many records there are; whether they are new only the ledger could say."""
    total = Appended()
    for batch in source.read(source.survey({})):
        total = total.plus(Appended(lines=batch.lines, refused=batch.refused))
    return total


def _json(found: Appended, source: RecordFile) -> str:
    problems = [msgspec.to_builtins(each) for each in source.shown]
    document = {"version": 1, **msgspec.to_builtins(found)}
    ignored = sorted(source.ignored)
    return write_json(document | {"shown": problems, "ignored": ignored})


def _text(found: Appended, asked: Asked) -> str:
    records = plural(found.lines, "record")
    if asked.dry_run:
        usable = found.lines - found.refused
        return f"{records} = {usable:,} usable + {found.refused:,} refused; none stored"
    return (
        f"{records} = {found.added:,} added + {found.repeated:,} repeated"
        f" + {found.refused:,} refused; {plural(found.responses, 'new response')}"
    )


def _tell(found: Appended, source: RecordFile) -> None:
    for each in source.shown:
        warn(f"{each.origin}:{each.line}: {each.code}: {each.message}")
    left = found.refused - len(source.shown)
    if left:
        warn(f"and {plural(left, 'more problem')}; see `tollbook problems`")
    if source.ignored:
        warn(f"not understood, and left out: {', '.join(sorted(source.ignored))}")
