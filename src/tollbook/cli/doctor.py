"""``tollbook doctor``: look after the ledger's health."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from tollbook import __version__
from tollbook.cli.context import App, with_app
from tollbook.cli.forms import AS_CSV, AS_JSON, forms, say_csv
from tollbook.cli.speak import EXIT_FOUND
from tollbook.config import transcript_folders
from tollbook.ledger.doctor import CARE, Finding, examine
from tollbook.places import ledger_path
from tollbook.render.columns import columns
from tollbook.render.figures import plural
from tollbook.render.report_json import write_json
from tollbook.render.safe import safe
from tollbook.wiring import (
    find_unfinished,
    make_sources,
    make_transcripts,
    unread_files,
)

_SPACE_BYTES_MIN = 512 << 20
_MEGABYTE = 10**6
_NAMED_MAX = 3


@click.command(name="doctor", epilog="Example: tollbook doctor --json")
@forms(json="The findings as JSON", csv="a row for each finding")
@with_app
def command(app: App, *, form: str) -> int:
    """Look at the ledger, its file, its sources and this machine; change nothing.

    Ends with 1 when something needs care.
    """
    findings = list(_examine(app))
    if form == AS_JSON:
        document = {"version": 1, "findings": findings}
        click.echo(write_json(document))
    elif form == AS_CSV:
        say_csv(Finding.__struct_fields__, map(msgspec.structs.asdict, findings))
    else:
        click.echo(_text(findings))
    return EXIT_FOUND if any(each.state == CARE for each in findings) else 0


def _text(findings: list[Finding]) -> str:
    rows = [("!" if f.state == CARE else "", f.name, f.what) for f in findings]
    lines = [columns(("", "", ""), rows)]
    care = [f for f in findings if f.state == CARE]
    lines += ["", *(f"{safe(f.name)}: {safe(f.remedy)}" for f in care)] if care else []
    return "\n".join(lines)


def _examine(app: App) -> Iterator[Finding]:
    python = f"Python {platform.python_version()} on {platform.system()}"
    yield Finding(name="tollbook", what=f"{__version__}, {python}")
    yield Finding(name="settings", what=app.loaded.path + _absent(app))
    yield Finding(name="time zone", what=str(app.zone))
    yield from _file(Path(ledger_path()))
    yield from examine(app.store, now=app.now, prices=app.rater.version)
    yield from _sources(app)


def _absent(app: App) -> str:
    return "" if app.loaded.exists else " (not there: every setting is the default)"


def _file(path: Path) -> Iterator[Finding]:
    status = path.stat()
    mode = status.st_mode & 0o777
    yield Finding(name="ledger", what=f"{path}, {_megabytes(status.st_size)}")
    yield Finding(
        name="permissions",
        what=f"{mode:o}",
        state=CARE if mode & 0o077 and os.name != "nt" else "fine",
        remedy=f"others can read the ledger; chmod 600 {path}",
    )
    free = shutil.disk_usage(path.parent).free
    yield Finding(
        name="disk",
        what=f"{_megabytes(free)} free",
        state=CARE if free < _SPACE_BYTES_MIN else "fine",
        remedy="make room; a full disk stops the ledger from growing",
    )


def _megabytes(size: int) -> str:
    return f"{-(-size // _MEGABYTE):,} MB"


def _files(number: int) -> str:
    return plural(number, "file")


def _sources(app: App) -> Iterator[Finding]:
    for folder in transcript_folders(app.config):
        if not os.path.exists(folder):
            yield Finding(name="source", what=f"{folder}: not there")
            continue
        found = make_transcripts([folder]).survey({})
        yield Finding(
            name="source",
            what=f"{folder}: {_files(found.origins)}, {_megabytes(found.size)}",
        )
    for source in make_sources(app.config):
        cursors = app.store.cursors(source.name)
        pending = source.survey(cursors)
        yield Finding(name="last news", what=_news(app))
        yield Finding(
            name="unread",
            what=f"{_files(unread_files(pending))}, {_megabytes(pending.size)}",
        )
        cut = find_unfinished(cursors)
        names = ": " + ", ".join(cut[:_NAMED_MAX]) if cut else ""
        what = f"in {_files(len(cut))}{names}"
        yield Finding(name="unfinished last lines", what=what)


def _news(app: App) -> str:
    recorded_at = app.store.health().recorded_at
    if recorded_at is None:
        return "nothing was recorded yet; run `tollbook scan`"
    return datetime.fromtimestamp(recorded_at / 1000, UTC).isoformat(" ", "seconds")
