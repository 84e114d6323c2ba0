"""What many events have in common besides session and model, stored once, by number."""

from __future__ import annotations

import apsw
import msgspec

from tollbook.core.observation import Conditions
from tollbook.stores.sqlite.names import Names, Texts
from tollbook.stores.sqlite.schema import DAILY_DIMENSIONS

Tags = tuple[tuple[str, str], ...]
_COLUMNS = (
    "source", "branch", "agent", "skill", "tools",
    "conditions", "sidechain", "copied", "evidence", "partial",
    "provider", "app", "user", "machine", "key", "tags", "failure", "units",
)  # fmt: skip
_encode = msgspec.json.Encoder().encode
_decode_conditions = msgspec.json.Decoder(Conditions).decode
_decode_texts = msgspec.json.Decoder(tuple[str, ...]).decode
_decode_tags = msgspec.json.Decoder(Tags).decode

ContextKey = tuple[
    str, str | None, str | None, str | None, tuple[str, ...],
    Conditions, bool, bool, int, bool,
    str | None, str | None, str | None, str | None, str | None, Tags, str | None,
    tuple[str, ...],
]  # fmt: skip
"""What ``Context`` names, in its order."""


class Context(msgspec.Struct, frozen=True):
    """The same, as a value with names."""

    source: str  # all of them, joined by "+"
    branch: str | None
    agent: str | None
    skill: str | None
    tools: tuple[str, ...]
    conditions: Conditions
    sidechain: bool
    copied: bool
    evidence: int
    partial: bool  # the output count is a lower bound
    provider: str | None
    app: str | None
    user: str | None
    machine: str | None
    key: str | None
    tags: Tags
    failure: str | None
    units: tuple[str, ...]  # those whose counts are known; none: all token counts are


class Contexts(dict[ContextKey, int]):
    """Context to number; what is new is stored when it is first asked for."""

    def __init__(self, connection: apsw.Connection, names: Names) -> None:
        super().__init__()
        self._connection = connection
        self._names = names

    def __missing__(self, key: ContextKey) -> int:
        row = self._numbers(key)
        same = " AND ".join(f"{name} = ?" for name in _COLUMNS)
        number = self._connection.execute(
            f"SELECT id FROM contexts WHERE {same}",  # noqa: S608  # constants
            row,
        ).get
        if number is None:
            marks = ",".join("?" * len(_COLUMNS))
            self._connection.execute(
                f"INSERT INTO contexts ({', '.join(_COLUMNS)}) VALUES ({marks})",  # noqa: S608  # constants
                row,
            )
            number = self._connection.last_insert_rowid()
        self[key] = number
        return int(number)

    def _numbers(self, key: ContextKey) -> tuple[int, ...]:
        names, told = self._names, Context(*key)
        return (
            names[told.source], names[told.branch], names[told.agent], names[told.skill],
            names[_encode(told.tools).decode() if told.tools else None],
            names[_encode(told.conditions).decode()],
            int(told.sidechain), int(told.copied), told.evidence, int(told.partial),
            names[told.provider], names[told.app], names[told.user],
            names[told.machine], names[told.key],
            names[_encode(told.tags).decode() if told.tags else None],
            names[told.failure],
            names[_encode(told.units).decode() if told.units else None],
        )  # fmt: skip


class Askers(dict[int, tuple[int, ...]]):
    """A context's number to the numbers of its ``DAILY_DIMENSIONS``."""

    def __init__(self, connection: apsw.Connection) -> None:
        super().__init__()
        self._connection = connection

    def __missing__(self, number: int) -> tuple[int, ...]:
        found: tuple[int, ...] = self._connection.execute(
            f"SELECT {', '.join(DAILY_DIMENSIONS)} FROM contexts WHERE id = ?",  # noqa: S608  # constants
            (number,),
        ).get
        self[number] = found
        return found


class ContextsById(dict[int, Context]):
    """Number to context."""

    def __init__(self, connection: apsw.Connection, texts: Texts) -> None:
        super().__init__()
        self._connection = connection
        self._texts = texts

    def __missing__(self, number: int) -> Context:
        texts = self._texts
        row = self._connection.execute(
            f"SELECT {', '.join(_COLUMNS)} FROM contexts WHERE id = ?",  # noqa: S608  # constants
            (number,),
        ).get
        source, branch, agent, skill, tools, conditions, *rest = row
        sidechain, copied, evidence, partial, *who, tags, failure, units = rest
        provider, app, user, machine, by_key = (texts[each] for each in who)
        named, tagged, counted = texts[tools], texts[tags], texts[units]
        context = self[number] = Context(
            source=texts[source] or "",
            branch=texts[branch],
            agent=texts[agent],
            skill=texts[skill],
            tools=_decode_texts(named) if named else (),
            conditions=_decode_conditions(texts[conditions] or "[]"),
            sidechain=bool(sidechain),
            copied=bool(copied),
            evidence=evidence,
            partial=bool(partial),
            provider=provider,
            app=app,
            user=user,
            machine=machine,
            key=by_key,
            tags=_decode_tags(tagged) if tagged else (),
            failure=texts[failure],
            units=_decode_texts(counted) if counted else (),
        )
        return context
