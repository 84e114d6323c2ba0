"""The real Claude Code, and a Messages API for it to talk to."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import uvicorn

from simulate.messages_api import MessagesApi


def claude_code() -> Path | None:
    """The real client, which a package for developers carries along."""
    spec = find_spec("claude_agent_sdk")
    origin = None if spec is None else spec.origin
    found = Path(origin).parent / "_bundled" / "claude" if origin else None
    return found if found is not None and found.exists() else None


@contextmanager
def messages_api() -> Iterator[tuple[MessagesApi, str]]:
    """A Messages API, and where it answers."""
    api = MessagesApi()
    server = uvicorn.Server(
        uvicorn.Config(api, port=0, log_level="warning", lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield api, f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


def run_claude(home: Path, api_url: str, reporting: Mapping[str, str]) -> str:
    """Let Claude Code answer one prompt, in a home of its own, and report all it can."""
    program = claude_code()
    assert program is not None, "claude-agent-sdk carries no client for this machine"
    project = home / "project"
    project.mkdir()
    done = subprocess.run(  # noqa: S603  # our own arguments
        [program, "-p", "SECRETPROMPT", "--allowedTools", "Bash"],
        cwd=project,
        env={
            "PATH": os.defpath,
            "HOME": str(home),
            "TERM": "dumb",
            "LANG": "C.UTF-8",
            "ANTHROPIC_BASE_URL": api_url,
            "ANTHROPIC_API_KEY": "sk-ant-test",
            "DISABLE_AUTOUPDATER": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_ENHANCED_TELEMETRY_BETA": "1",
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
            "OTEL_LOGS_EXPORT_INTERVAL": "500",
            "OTEL_TRACES_EXPORT_INTERVAL": "500",
            "OTEL_LOG_USER_PROMPTS": "1",
            "OTEL_LOG_TOOL_DETAILS": "1",
            "OTEL_LOG_TOOL_CONTENT": "1",
            "OTEL_LOG_RAW_API_BODIES": "1",
            "OTEL_RESOURCE_ATTRIBUTES": "team=red",
            **reporting,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()
