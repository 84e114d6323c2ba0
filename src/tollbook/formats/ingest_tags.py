"""What is kept of a record's ``metadata`` and ``tags``: names, never what was said.

A few keys are lifted to where they belong. Of the others short texts, numbers and truth
values become tags. Nothing nested is looked at, and nothing whose name says that it may
hold what people, models or tools wrote, or a secret.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import msgspec

TAGS_MAX = 32
TAG_NAME_MAX = 64
TAG_MAX = 200

Tags = tuple[tuple[str, str], ...]

LIFTED = {
    "source": "app", "app": "app",
    "user_id": "user", "user": "user",
    "session_id": "session", "session": "session",
    "branch": "branch", "git_branch": "branch",
    "agent": "agent",
    "skill": "skill",
    "machine": "machine", "host": "machine", "hostname": "machine",
}  # fmt: skip
"""Keys of ``metadata`` with a place of their own."""

_WORD = re.compile(r"[a-z]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_UNSAID = frozenset(
    {
        "answer", "argument", "arguments", "authorization", "body", "completion",
        "completions", "content", "contents", "cookie", "credential", "credentials",
        "diff", "file", "files", "header", "headers", "input", "inputs", "instruction",
        "instructions", "message", "messages", "output", "outputs", "parameters",
        "password", "prompt", "prompts", "query", "question", "reply", "request",
        "response", "responses", "result", "results", "secret", "system", "text",
        "thinking", "token", "transcript",
    }
)  # fmt: skip
_SECRETS = frozenset(("apikey", "api_key", "private_key", "access_key", "secret_key"))
_SECRETS_BEGIN = ("sk-", "tb_", "Bearer ", "Basic ")
_DROP = ""


@lru_cache(maxsize=4096)
def place_of(name: str) -> str | None:
    """Where a key of the metadata belongs: a lifted field, nowhere, or among the tags.

    Returns:
        The field's name; empty when it must not be kept; ``None`` for a tag.
    """
    if name in LIFTED:
        return LIFTED[name]
    words = _WORD.findall(_HUMP.sub("_", name).lower())
    if (
        not 0 < len(name) <= TAG_NAME_MAX
        or not name.isprintable()
        or not words
        or words[-1] in _UNSAID
        or "_".join(words[-2:]) in _SECRETS
        or words[-1] in _SECRETS
    ):
        return _DROP
    return None


def shown(value: object) -> str | None:
    """A text, number or truth value as a tag's text; ``None`` for all that is no tag."""
    if isinstance(value, str):
        text = value
    elif value is None or isinstance(value, dict | list):
        return None
    else:
        text = msgspec.json.encode(value).decode()
    if (
        not 0 < len(text) <= TAG_MAX
        or not text.isprintable()
        or text.startswith(_SECRETS_BEGIN)
    ):
        return None
    return text


def lift(metadata: dict[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """The lifted fields, and the tags."""
    lifted: dict[str, str] = {}
    tags: dict[str, str] = {}
    for name, value in metadata.items():
        place = place_of(name)
        if place == _DROP:
            continue
        text = shown(value)
        if text is None:
            continue
        if place is None:
            tags[name] = text
        else:
            lifted.setdefault(place, text)
    return lifted, tags


def tags_of(given: dict[str, Any]) -> dict[str, str]:
    """What of a record's own ``tags`` can be kept."""
    return {
        name: text
        for name, value in given.items()
        if 0 < len(name) <= TAG_NAME_MAX
        and (name in LIFTED or place_of(name) is None)
        and (text := shown(value)) is not None
    }


def bounded(tags: dict[str, str]) -> Tags:
    """At most ``TAGS_MAX`` of them, in order of their names."""
    return tuple(sorted(tags.items())[:TAGS_MAX])
