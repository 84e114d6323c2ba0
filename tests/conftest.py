"""What every test may use, and what none may touch."""

from __future__ import annotations

import difflib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from program import Program

FOREIGN = ("ANTHROPIC_", "CLAUDE_", "OTEL_", "TOLLBOOK_", "XDG_")

# A slow machine is no failing test; the night tries what the day has no time for.
settings.register_profile("day", deadline=None)
settings.register_profile(
    "night",
    deadline=None,
    max_examples=1_000,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("day")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--golden``."""
    parser.addoption(
        "--golden",
        action="store_true",
        help="rewrite the golden files, then fail nobody",
    )


@pytest.fixture(autouse=True, scope="session")
def _nobodys_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep tests away from the developer's transcripts, ledger, settings and zone."""
    home = str(tmp_path_factory.mktemp("home"))
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith(FOREIGN):
                patch.delenv(name)
        for name in ("HOME", "USERPROFILE", "TOLLBOOK_HOME"):
            patch.setenv(name, home)
        patch.setenv("TZ", "UTC")
        patch.setenv("COLUMNS", "100")
        patch.setenv("NO_COLOR", "1")
        if hasattr(time, "tzset"):
            time.tzset()
        yield


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The real program, in an empty home."""
    return Program(tmp_path)


@pytest.fixture
def golden(pytestconfig: pytest.Config) -> Callable[[Path, str], None]:
    """Hold a text against the file that keeps it, or rewrite that file."""

    def compare(path: Path, actual: str) -> None:
        if pytestconfig.getoption("--golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(actual, "utf-8", newline="\n")
            return
        expected = path.read_text("utf-8") if path.exists() else ""
        change = difflib.unified_diff(
            expected.splitlines(), actual.splitlines(), str(path), "now", lineterm=""
        )
        assert actual == expected, "\n".join(
            ["if this is meant, python3 tasks.py golden, and read the diff", *change]
        )

    return compare
