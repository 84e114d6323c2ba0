"""Who sent telemetry, and what was understood of it.

A resource tells whom its items belong to::

    OTEL_RESOURCE_ATTRIBUTES=project_id=shop,team=payments,cost_center=4711

``project_id``, ``project`` or ``service.namespace`` (the first that is there) names the
project; without one the items belong to the only project of the key. What people set
themselves becomes tags; what OpenTelemetry's own conventions describe (the process, the
host, the container) does not, for command lines and paths are nobody's business.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TypeVar

import msgspec

from tollbook.core.identity import is_providers_request, own_id
from tollbook.core.observation import Instant, Observation, StatementLine
from tollbook.formats.otlp import (
    Attributes,
    Group,
    UnusableItemError,
    milliseconds,
    text,
)

PAST_MAX = 400 * 86_400_000  # milliseconds a time may lie back,
FUTURE_MAX = 600_000  # and ahead
TAGS_MAX = 32
FINDINGS_MAX = 16  # kinds of trouble of one request that are told apart
TAG_NAME_MAX = 64
TAG_MAX = 200
SENSITIVE = re.compile(
    r"(^|[._])(prompts?|prompt_text|user_prompt|response|body|tool_input|content"
    r"|tool_parameters|messages|system_instructions|completions?)([._]|$)|"
    r"^(input|output)[._]value",
)
"""Names of attributes that may hold what people and models wrote."""

_PROJECT = ("project_id", "project", "service.namespace")
_ENVIRONMENT = ("deployment.environment.name", "deployment.environment")
_CONVENTIONAL = re.compile(
    r"(android|app|aws|az|azure|browser|cicd|cloud|cloudfoundry|container|deployment"
    r"|device|faas|gcp|heroku|host|ios|k8s|oci|openshift|os|process|service|telemetry"
    r"|user_agent|vcs|webengine|zos)\.",
)

T = TypeVar("T")


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """Who sent a request, as far as the receiver knows."""

    now: Instant
    key: str | None = None  # the key's id
    projects: tuple[str, ...] | None = None  # those it may report for; ``None``: all


class Whose(msgspec.Struct, frozen=True, gc=False):
    """Whom the items of a resource belong to."""

    sender: Sender
    project: str | None
    machine: str | None
    app: str | None  # the service's name
    tags: tuple[tuple[str, str], ...]

    def request_id(self, own: str) -> str:
        """An id that is not the provider's, told apart from other projects' ids."""
        return own_id(self.project, own)

    def named(self, given: str | None) -> str | None:
        """A request id as it is when it looks like the provider's, else as one's own."""
        if given is None or is_providers_request(given):
            return given
        return self.request_id(given)

    def instant(self, nanos: int) -> Instant:
        """A time of an item.

        Raises:
            UnusableItemError: There is none, or it lies outside the bounds.
        """
        return self.within(milliseconds(nanos))

    def within(self, at: Instant) -> Instant:
        """The same instant.

        Raises:
            UnusableItemError: It lies outside the bounds.
        """
        if not -PAST_MAX <= at - self.sender.now <= FUTURE_MAX:
            msg = "its time is missing, over 400 days ago or over 10 minutes ahead"
            raise UnusableItemError(msg)
        return at


class Finding(msgspec.Struct, frozen=True, gc=False):
    """A problem of a request: its code, what is wrong, and how often it was."""

    code: str
    message: str


class Heard:
    """What a request said: observations and statements, and what could not be used.

    ``refused`` counts items that say something of usage and cannot be used; the sender is
    told so. ``findings`` hold each kind of trouble once, however many items had it.
    """

    def __init__(self) -> None:
        self.observations: list[Observation] = []
        self.statements: list[StatementLine] = []
        self.findings: dict[Finding, int] = {}
        self.refused = 0

    def refuse(self, reason: str, *, items: int = 1) -> None:
        """Count items that cannot be used."""
        if items:
            self.refused += items
            self.find("otlp-item", f"refused: {reason}")

    def find(self, code: str, message: str) -> None:
        """Remember a kind of trouble."""
        finding = Finding(code, message)
        self.findings[finding] = self.findings.get(finding, 0) + 1

    def unknown(self, what: str) -> None:
        """Remember the name of something that is not understood."""
        if len(self.findings) < FINDINGS_MAX:
            self.find("otlp-unknown", f"{what} is not known; update tollbook")

    @property
    def reason(self) -> str:
        """Why items were refused, for the sender; empty when none was."""
        found = [each.message for each in self.findings if each.code == "otlp-item"]
        return "; ".join(found)

    def projects(self) -> dict[str, str | None]:
        """The projects that observations name, each with the app of the first."""
        found: dict[str, str | None] = {}
        for seen in self.observations:
            if seen.project is not None:
                found.setdefault(seen.project, seen.app)
        return found

    def bar(self, project: str, reason: str) -> None:
        """Refuse what was said of a project after all."""
        kept = [seen for seen in self.observations if seen.project != project]
        self.refuse(reason, items=len(self.observations) - len(kept))
        self.observations = kept

    def whose(self, sender: Sender, group: Group[T]) -> Whose | None:
        """Whom a group belongs to; ``None`` when the key may not report for them."""
        self.refuse("an item has another shape than OTLP gives it", items=group.broken)
        try:
            return _whose(sender, group.resource)
        except UnusableItemError as error:
            self.refuse(str(error), items=len(group.items))
            return None


def _whose(sender: Sender, resource: Attributes) -> Whose:
    project = text(resource, *_PROJECT)
    allowed = sender.projects
    if allowed is not None:
        if project is None and len(allowed) == 1:
            project = allowed[0]
        if project is None:
            msg = "the key serves several projects; set project_id in the resource"
            raise UnusableItemError(msg)
        if project not in allowed:
            msg = "the key does not serve the project that the resource names"
            raise UnusableItemError(msg)
    machine, app = text(resource, "host.name"), text(resource, "service.name")
    return Whose(sender, project, machine, app, _tags(resource))


def _tags(resource: Attributes) -> tuple[tuple[str, str], ...]:
    tags: dict[str, str] = {}
    environment = text(resource, *_ENVIRONMENT)
    if environment is not None:
        tags["environment"] = environment[:TAG_MAX]
    for name, value in resource.items():
        if (
            0 < len(name) <= TAG_NAME_MAX
            and name not in _PROJECT
            and not _CONVENTIONAL.match(name)
            and not SENSITIVE.search(name)
        ):
            shown = value if isinstance(value, str) else _shown(value)
            if 0 < len(shown) <= TAG_MAX:
                tags[name] = shown
    return tuple(sorted(tags.items())[:TAGS_MAX])


def _shown(value: int | bool | Decimal) -> str:  # noqa: FBT001  # a value, not a switch
    return str(value).lower() if isinstance(value, bool) else str(value)
