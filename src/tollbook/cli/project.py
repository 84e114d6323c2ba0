"""``tollbook project``: what applications report under."""

from __future__ import annotations

import click
import msgspec

from tollbook.cli.context import clock
from tollbook.cli.control import answer, json_option, with_control
from tollbook.core.control import AGENTS, KINDS, Project
from tollbook.core.errors import ControlError
from tollbook.ledger.projects import (
    add_project,
    change_project,
    find_project,
    list_projects,
    remove_project,
)
from tollbook.ports import ControlStore
from tollbook.render.control import facts, project_fields, project_table
from tollbook.render.safe import safe

_WORKSPACE = "default"
_KIND_HELP = "agents: in production; devtools: Claude Code and the like"
_id_argument = click.argument("project_id", metavar="ID")
_title_option = click.option("--title", metavar="TEXT", help="What people call it")


@click.group(name="project", epilog="Example: tollbook project list")
def command() -> None:
    """Add, list and change projects: what applications send as project_id.

    A key that is not limited to projects makes a project when it first reports under
    its id, so `tollbook project add` is for those that are to be there before.
    """


@command.command(
    name="add", epilog="Example: tollbook project add checkout --title 'The checkout'"
)
@_id_argument
@click.option("--kind", type=click.Choice(KINDS), default=AGENTS, help=_KIND_HELP)
@click.option(
    "--workspace", metavar="NAME", default=_WORKSPACE, help="Which team's it is"
)
@_title_option
@json_option
@with_control
def add_command(
    control: ControlStore,
    project_id: str,
    *,
    kind: str,
    workspace: str,
    title: str | None,
    as_json: bool,
) -> None:
    """Add a project."""
    project = Project(
        id=project_id,
        kind=kind,
        workspace=workspace,
        title=title or None,
        created_at=clock(),
    )
    add_project(control, project)
    said = f"added the project {safe(project_id)}"
    answer({"project": project_fields(project)}, said, as_json=as_json)


@command.command(name="list", epilog="Example: tollbook project list --json")
@json_option
@with_control
def list_command(control: ControlStore, *, as_json: bool) -> None:
    """List every project."""
    projects = list_projects(control)
    text = project_table(projects) if projects else "no projects; add one, or report"
    rows = [project_fields(project) for project in projects]
    answer({"rows": rows}, text, as_json=as_json)


@command.command(name="show", epilog="Example: tollbook project show shop")
@_id_argument
@json_option
@with_control
def show_command(control: ControlStore, project_id: str, *, as_json: bool) -> None:
    """Show one project."""
    _show(find_project(control, project_id), as_json=as_json)


@command.command(
    name="set", epilog="Example: tollbook project set shop --workspace retail"
)
@_id_argument
@click.option("--kind", type=click.Choice(KINDS), help=_KIND_HELP)
@click.option("--workspace", metavar="NAME", help="Which team's it is")
@_title_option
@json_option
@with_control
def set_command(
    control: ControlStore,
    project_id: str,
    *,
    kind: str | None,
    workspace: str | None,
    title: str | None,
    as_json: bool,
) -> None:
    """Change a project's kind, workspace or title; an empty title takes it away."""
    if (kind, workspace, title) == (None, None, None):
        message = "nothing to change; give --kind, --workspace or --title"
        raise ControlError(message)
    before = find_project(control, project_id)
    project = msgspec.structs.replace(
        before,
        kind=kind or before.kind,
        workspace=before.workspace if workspace is None else workspace,
        title=before.title if title is None else title or None,
    )
    change_project(control, project, now=clock())
    _show(project, as_json=as_json)


@command.command(name="rm", epilog="Example: tollbook project rm shop")
@_id_argument
@json_option
@with_control
def rm_command(control: ControlStore, project_id: str, *, as_json: bool) -> None:
    """Forget a project; what was reported under it stays, and so do its reports."""
    remove_project(control, project_id, now=clock())
    said = f"removed the project {safe(project_id)}; what it used stays in the ledger"
    answer({"removed": project_id}, said, as_json=as_json)


def _show(project: Project, *, as_json: bool) -> None:
    fields = project_fields(project)
    answer({"project": fields}, facts(fields), as_json=as_json)
