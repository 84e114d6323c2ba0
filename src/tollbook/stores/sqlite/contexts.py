"""What many events have in common besides session and model, stored once, by number."""

from __future__ import annotations

import apsw
import msgspec

from tollbook.core.observation import Conditions
from tollbook.stores.sqlite.names import Names, Texts

_COLUMNS = (
    "source", "branch", "agent", "skill", "tools",
    "conditions", "sidechain", "copied", "evidence", "partial",
)  # fmt: skip
_encode = msgspec.json.Encoder().encode
_decode_conditions = msgspec.json.Decoder(Conditions).decode
_decode_tools = msgspec.json.Decoder(tuple[str, ...]).decode

ContextKey = tuple[
    str, str | None, str | None, str | None, tuple[str, ...],
    Conditions, bool, bool, int, bool,
]  # fmt: skip
"""Source, branch, agent, skill, tools, conditions, side chain, copied, evidence, and
whether the output count is a lower bound."""


class Context(msgspec.Struct, frozen=True):
    """The same, as a value with names."""

    source: str
    branch: str | None
    agent: str | None
    skill: str | None
    tools: tuple[str, ...]
    conditions: Conditions
    sidechain: bool
    copied: bool
    evidence: int
    partial: bool


class Contexts(dict[ContextKey, int]):
    """Context to number; what is new is stored when it is first asked for."""

    def __init__(self, connection: apsw.Connection, names: Names) -> None:
        super().__init__()
        self._connection = connection
        self._names = names

    def __missing__(self, key: ContextKey) -> int:
        names = self._names
        source, branch, agent, skill, tools, conditions, *rest = key
        row = (
            names[source], names[branch], names[agent], names[skill],
            names[_encode(tools).decode() if tools else None],
            names[_encode(conditions).decode()], *rest,
        )  # fmt: skip
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
        sidechain, copied, evidence, partial = rest
        named = texts[tools]
        context = self[number] = Context(
            source=texts[source] or "",
            branch=texts[branch],
            agent=texts[agent],
            skill=texts[skill],
            tools=_decode_tools(named) if named else (),
            conditions=_decode_conditions(texts[conditions] or "[]"),
            sidechain=bool(sidechain),
            copied=bool(copied),
            evidence=evidence,
            partial=bool(partial),
        )
        return context
