"""``tollbook scan``: read what is new into the ledger."""

from __future__ import annotations

import os

import click
import msgspec

from tollbook.cli.context import App, with_app
from tollbook.cli.forms import AS_CSV, AS_JSON, AS_TEXT, forms, say_csv
from tollbook.cli.push import send_on
from tollbook.cli.speak import warn
from tollbook.config import transcript_folders
from tollbook.core.errors import SourceRejectedError
from tollbook.ports import Appended
from tollbook.render.figures import plural
from tollbook.render.report_json import write_json
from tollbook.wiring import make_sources, make_transcripts


@click.command(name="scan", epilog="Example: tollbook scan ~/backup/claude")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option(
    "--push", "push", is_flag=True, help="Then send what is new to TOLLBOOK_URL"
)
@forms(json="The counts as one JSON object", csv="one row with the counts")
@with_app
def command(app: App, paths: tuple[str, ...], *, push: bool, form: str) -> int:
    """Read what is new in the usual folders, or in the folders and files given."""
    if push and form == AS_CSV:
        text = "--csv and --push exclude each other; use --json, or push afterwards"
        raise click.UsageError(text)
    for folder in paths:
        if not os.path.exists(folder):
            text = f"{folder}: there is no such file or folder; correct the path"
            raise SourceRejectedError(text)
    if not paths:
        roots = {os.path.expanduser(root) for root in app.config.sources.roots}
        for folder in transcript_folders(app.config):
            if folder in roots and not os.path.exists(folder):
                warn(f"{folder}: sources.roots names it, and it is not there")
    sources = [make_transcripts(paths)] if paths else make_sources(app.config)
    found = app.scan(sources, quiet=form != AS_TEXT)
    if form == AS_CSV:
        say_csv(found.__struct_fields__, [msgspec.structs.asdict(found)])
    else:
        click.echo(_json(found) if form == AS_JSON else _text(found))
    return send_on(app, as_json=form == AS_JSON) if push else 0


def _json(found: Appended) -> str:
    document = {"version": 1, **msgspec.to_builtins(found)}
    return write_json(document)


def _text(found: Appended) -> str:
    lines, new = plural(found.lines, "line"), plural(found.responses, "new response")
    counts = (
        f"{lines} = {found.added:,} added + {found.repeated:,} repeated"
        f" + {found.refused:,} refused; {new}"
    )
    if found.problems:
        counts += f"; {plural(found.problems, 'problem')}, see `tollbook problems`"
    return counts
