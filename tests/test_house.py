"""The house rules that neither the linter nor the floor plan can see."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import tollbook

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "tollbook"
THIS = Path(__file__)
MIRRORED = ("core", "formats")
LOCKS = ("requirements.lock", "requirements-build.lock", "requirements-dev.lock")

OPEN_END = re.compile(r"\b(?:TODO|FIXME)\b(?!\s*\(?#\d+)")
SUPPRESSED = re.compile(r"#\s*(noqa|type: ignore|pragma: no \w+)\b(:?[^#]*)(.*)")
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
FOREIGN_WORDS = {"input_tokens", "prompt_tokens", "completion_tokens", "total_tokens"}
FOREIGN_ROOMS = {"formats", "sdk"}
WORD_FIELDS = ("id", "attr", "arg", "name", "value")
VAGUE = {"common", "data", "helper", "helpers", "manager", "misc", "util", "utils"}


def code() -> list[Path]:
    """Every module here but this one, which names what it forbids."""
    folders = (ROOT / name for name in ("benchmarks", "src", "tests"))
    paths = [path for folder in folders for path in folder.rglob("*.py")]
    return [path for path in [*paths, ROOT / "tasks.py"] if path != THIS]


def pins(lock: str) -> dict[str, str]:
    """Every pinned package of a requirement file with its version."""
    return dict(PIN.findall((ROOT / lock).read_text("utf-8")))


def test_what_is_left_to_do_has_an_issue() -> None:
    looked_at = [
        (f"{path.relative_to(ROOT)}:{number}", line)
        for path in code()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
    ]

    assert looked_at
    assert [place for place, line in looked_at if OPEN_END.search(line)] == []


def test_a_rule_is_suspended_only_with_a_reason() -> None:
    """One reason in a file covers all lines that suspend the same rule there."""
    for path in code():
        reasoned: dict[str, bool] = {}
        before = ""
        for line in path.read_text("utf-8").splitlines():
            suppressed = SUPPRESSED.search(line)
            if suppressed:
                kind, codes, reason = suppressed.groups()
                rule, _, more = codes.strip(": ").partition(" ")
                explained = bool(reason or more or before.startswith("#"))
                key = f"{kind} {rule}"
                reasoned[key] = reasoned.get(key, False) or explained
            before = line.strip()

        assert all(reasoned.values()), f"{path}: no reason for {reasoned}"


def test_modules_are_named_after_what_they_hold() -> None:
    names = {path.stem for path in SOURCE.rglob("*.py")}

    assert names
    assert names & VAGUE == set()


def test_a_count_is_called_what_it_counts() -> None:
    """Other programs' words mean other things: they end where we read them."""
    found = []
    looked_at = 0
    for path in SOURCE.rglob("*.py"):
        if path.relative_to(SOURCE).parts[0] not in FOREIGN_ROOMS:
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                looked_at += 1
                words = {getattr(node, field, None) for field in WORD_FIELDS}
                found += [f"{path}: {word}" for word in words & FOREIGN_WORDS]

    assert looked_at
    assert found == []


def test_every_test_file_is_found_by_its_name() -> None:
    """A misspelt file would never run."""
    strays = [
        str(path)
        for path in (ROOT / "tests").rglob("*.py")
        if "def test_" in path.read_text("utf-8")
        and not path.name.startswith("test_")
        and path.parent.name != "contracts"
    ]

    assert strays == []


@pytest.mark.parametrize("room", MIRRORED)
def test_every_module_with_logic_has_its_tests(room: str) -> None:
    tests = "\n".join(
        path.read_text("utf-8") for path in (ROOT / "tests" / room).rglob("test_*.py")
    )
    modules = [
        f"tollbook.{room}.{path.stem}"
        for path in sorted((SOURCE / room).glob("*.py"))
        if "def " in path.read_text("utf-8")
    ]

    assert modules, f"{room} holds no logic any more"
    assert [name for name in modules if not re.search(rf"{name}\b", tests)] == []


def test_the_changelog_knows_this_version() -> None:
    headings = re.findall(
        r"^## \[?([^\s\]]+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE
    )

    assert headings
    assert headings[0] in {"Unreleased", tollbook.__version__}


def test_the_version_is_written_once_in_meaning() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    assert project["version"] == tollbook.__version__


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pinned_package_has_hashes_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")
    entries = re.split(r"\n(?=\S)", text.strip())

    assert pins(lock)
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in text


def test_the_locks_agree_with_each_other_and_with_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    runtime, build, dev = map(pins, LOCKS)
    wanted = {
        "runtime": (runtime, project["project"]["dependencies"]),
        "build": (build, project["build-system"]["requires"]),
        "dev": (dev, project["dependency-groups"]["dev"]),
    }

    assert (runtime | build).items() <= dev.items()
    for pinned, requirements in wanted.values():
        for requirement in map(Requirement, requirements):
            version = pinned.get(canonicalize_name(requirement.name))
            assert version, f"{requirement}: renew with python3 tasks.py lock"
            assert requirement.specifier.contains(version)
