"""Schemathesis asks everything the description allows, and much that it does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from program import Program
from query_world import world
from reporting import RATER
from servers import real_server
from tollbook.stores.sqlite.store import SqliteStore

TOOL = Path(sys.executable).with_name("schemathesis")
CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance",
    "response_schema_conformance", "response_headers_conformance",
    "unsupported_method", "use_after_free",
)  # fmt: skip
"""Not those that hold a description to what no schema can say, such as which time zones
there are: they call a right refusal wrong."""


def run(folder: Path, *words: str) -> str:
    """All it says of a real server, on a ledger that has a bit of everything."""
    program = Program(folder)
    ledger = folder / "ledger" / "ledger.db"
    store = SqliteStore(ledger, RATER, RATER.version)
    world(store)
    store.close()
    made = program.json("key", "create", "tester", "--scope", "admin")
    with real_server(program) as server:
        done = subprocess.run(  # noqa: S603 - a tool of ours
            [
                TOOL,
                "run",
                f"{server.url}/openapi.json",
                *("--header", f"Authorization: Bearer {made['secret']}"),
                *("--checks", ",".join(CHECKS)),
                *("--max-response-time", "1"),
                *("--generation-deterministic", "--no-color", "--warnings", "off"),
                *words,
            ],
            cwd=folder,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-8_000:]
    return said


def test_nothing_is_undeclared_broken_or_slow(tmp_path: Path) -> None:
    said = run(tmp_path, "--phases", "coverage,fuzzing", "-n", "5", "--max-time", "40")

    assert "test cases" in said.lower()


@pytest.mark.night
def test_nothing_is_for_minutes_either(tmp_path: Path) -> None:
    run(tmp_path, "-n", "200", "--max-time", "600")
