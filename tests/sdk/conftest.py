"""A home and a server for every test of the client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from receiver import Receiver, served


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLLBOOK_HOME", str(tmp_path))


@pytest.fixture
def receiver() -> Receiver:
    """A server that keeps ids."""
    return Receiver()


@pytest.fixture
def url(receiver: Receiver) -> Iterator[str]:
    """Where it is."""
    with served(receiver) as found:
        yield found
