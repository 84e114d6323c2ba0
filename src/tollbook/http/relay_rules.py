"""What may pass through the relay: exact methods of exact paths, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum

import msgspec

from tollbook.config import Upstream
from tollbook.core.errors import ConfigError

_SEGMENT = rb"[A-Za-z0-9_@:~-][A-Za-z0-9._@:~-]{0,199}"
_STATED = re.compile(r"([A-Z]{3,7}) ((?:/(?:[A-Za-z0-9._~-]+|\*))+)", re.ASCII)


class Kind(Enum):
    """What the relay has to do with a request besides passing it on."""

    MESSAGE = "message"  # its answer uses tokens: it gets a row
    RESULTS = "results"  # its answer tells of many messages
    FREE = "free"  # it uses nothing
    HELLO = "hello"  # whether anybody is there: answered here


class Rule(msgspec.Struct, frozen=True):
    """One method of one path."""

    method: str
    path: str  # ``*`` stands for one segment
    kind: Kind
    upstreams: frozenset[str] | None = None  # ``None``: all of them


_USUAL = (
    Rule("POST", "/v1/messages", Kind.MESSAGE),
    Rule("POST", "/v1/complete", Kind.MESSAGE),
    Rule("POST", "/v1/messages/count_tokens", Kind.FREE),
    Rule("POST", "/v1/messages/batches", Kind.FREE),
    Rule("GET", "/v1/messages/batches", Kind.FREE),
    Rule("GET", "/v1/messages/batches/*", Kind.FREE),
    Rule("DELETE", "/v1/messages/batches/*", Kind.FREE),
    Rule("POST", "/v1/messages/batches/*/cancel", Kind.FREE),
    Rule("GET", "/v1/messages/batches/*/results", Kind.RESULTS),
    Rule("GET", "/v1/models", Kind.FREE),
    Rule("GET", "/v1/models/*", Kind.FREE),
    Rule("HEAD", "/api/hello", Kind.HELLO),
)


class Rules:
    """All of them.

    Args:
        upstreams: By name; each may allow more.

    Raises:
        ConfigError: What an upstream allows is no method and path.
    """

    def __init__(self, upstreams: Mapping[str, Upstream]) -> None:
        self._exact: dict[bytes, dict[str, Rule]] = {}
        self._patterns: list[tuple[re.Pattern[bytes], Rule]] = []
        for rule in (*_USUAL, *_stated(upstreams)):
            path = rule.path.encode()
            if b"*" in path:
                pattern = re.compile(re.escape(path).replace(rb"\*", _SEGMENT))
                self._patterns.append((pattern, rule))
            else:
                self._exact.setdefault(path, {}).setdefault(rule.method, rule)

    def find(self, path: bytes) -> Mapping[str, Rule]:
        """The rules of a path, as it came over the wire, by method."""
        exact = self._exact.get(path)
        if exact is not None:
            return exact
        found: dict[str, Rule] = {}
        for pattern, rule in self._patterns:
            if pattern.fullmatch(path):
                found.setdefault(rule.method, rule)
        return found


def _stated(upstreams: Mapping[str, Upstream]) -> list[Rule]:
    allowing: dict[str, set[str]] = {}
    for name, upstream in upstreams.items():
        for text in upstream.paths:
            allowing.setdefault(text, set()).add(name)
    rules = []
    for text, names in allowing.items():
        stated = _STATED.fullmatch(text)
        if stated is None or "/.." in text or "/./" in f"{text}/":
            where = f"upstreams.{min(names)}.paths: {text!r}"
            message = f"{where} is no method and path; write it as 'GET /v1/files/*'"
            raise ConfigError(message)
        rules.append(Rule(stated[1], stated[2], Kind.FREE, frozenset(names)))
    return rules
