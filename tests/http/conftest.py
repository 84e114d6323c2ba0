"""Servers that several tests ask."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from servers import Served, echo_server


@pytest.fixture(scope="session")
def echo() -> Iterator[Served]:
    """The frame alone, patient for a second."""
    with echo_server(
        head_seconds=1, body_seconds=1, idle_seconds=1, connections_max=40
    ) as served:
        yield served
