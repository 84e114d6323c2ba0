"""Long texts that repeat (sessions, projects, models, …) are stored once, by number."""

from __future__ import annotations

import apsw

NONE = 0
"""The number of what was not stated."""


class Names(dict[str | None, int]):
    """Text to number; what is new is stored when it is first asked for."""

    def __init__(self, connection: apsw.Connection) -> None:
        super().__init__({None: NONE, "": NONE})
        self._connection = connection

    def __missing__(self, text: str | None) -> int:
        found = self._connection.execute(
            "SELECT id FROM names WHERE text = ?", (text,)
        ).get
        if found is None:
            self._connection.execute("INSERT INTO names (text) VALUES (?)", (text,))
            found = self._connection.last_insert_rowid()
        self[text] = found
        return int(found)

    def forget(self) -> None:
        """After a rollback the numbers given since may not exist."""
        self.clear()
        self.update({None: NONE, "": NONE})


class Texts(dict[int, str | None]):
    """Number to text."""

    def __init__(self, connection: apsw.Connection) -> None:
        super().__init__({NONE: None})
        self._connection = connection

    def __missing__(self, number: int) -> str | None:
        found = self._connection.execute(
            "SELECT text FROM names WHERE id = ?", (number,)
        ).get
        assert found is not None, f"no name has the number {number}"
        self[number] = found
        return str(found)
