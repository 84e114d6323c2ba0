"""The documentation is true: its examples run, its links lead somewhere, nothing lacks.

Every ``console`` block is played in an empty home with a few transcripts, page by page
and in order, so a tutorial may build on what it did before. A line that begins with
``$ tollbook`` (or ``$ python3 tasks.py run``, which is the same program) is run, a line
that begins with ``> `` continues it, and what follows is compared with what the program
says; ``...`` stands for anything. Other commands are for the reader alone. Where a page
sends something to a server, one listens at ``TOLLBOOK_URL``. The words behind
``console`` and ``python`` say what differs: ``no-run``, or ``exit=3`` where the example
shows a refusal.
"""

from __future__ import annotations

import ast
import doctest
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import msgspec
import pytest

from pages import COMMAND, FENCE, ROOT, Block, Step, blocks, steps
from program import Program
from servers import real_server

SOURCE = ROOT / "src" / "tollbook"
DOCS = ROOT / "docs"
SAMPLE = ROOT / "tests" / "golden" / "sample"  # becomes ~/.claude
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
COMMANDS = DOCS / "reference" / "commands.md"
SETTINGS = DOCS / "reference" / "config.md"
PROBLEMS = DOCS / "reference" / "problems.md"

LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)")
SENDS = re.compile(
    r"^tollbook push|--push\b|^from tollbook import \w*Client", re.MULTILINE
)
CODE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+")
SECONDS_MAX = 60

needs_cli = pytest.mark.skipif(
    not (SOURCE / "cli" / "table.py").exists(), reason="there is no command line yet"
)
needs_config = pytest.mark.skipif(
    not (SOURCE / "config.py").exists(), reason="there are no settings yet"
)


def heading_id(heading: str) -> str:
    """The anchor a forge gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    text = FENCE.sub("", page.read_text("utf-8"))
    found = re.findall(r"^#{1,6} (.+)$", text, re.MULTILINE)
    return {heading_id(heading) for heading in found}


def sections(page: Path) -> dict[str, str]:
    """A page's text by heading; the name of a command or code stands in code font."""
    text = page.read_text("utf-8") if page.exists() else ""
    parts = re.split(r"^(?:## |### (?=`))(.+)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(map(str.strip, parts[::2]), parts[1::2], strict=True))


def named(page: Path) -> dict[str, str]:
    """The sections whose heading is a name in code font."""
    return {
        heading.strip("`").removeprefix("tollbook "): text
        for heading, text in sections(page).items()
        if heading.startswith("`")
    }


def tidy(text: str) -> str:
    """What a reader sees: no colours, no blanks at the ends of lines."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines()) + "\n"


def same(want: str, got: str) -> bool:
    checker = doctest.OutputChecker()
    return checker.check_output(tidy(want), tidy(got), doctest.ELLIPSIS)


@pytest.fixture
def sandbox(tmp_path: Path) -> Path:
    """A home with a few transcripts and nothing else."""
    home = tmp_path / "home"
    home.mkdir()
    if SAMPLE.exists():
        shutil.copytree(SAMPLE, home / ".claude")
    return home


@pytest.fixture
def team(tmp_path: Path) -> Iterator[str]:
    """The address of a server with a ledger of its own."""
    home = tmp_path / "team"
    home.mkdir()
    with real_server(Program(home)) as server:
        yield server.url


def play(
    home: Path, *command: str | Path, url: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command as the reader would, with a screen of 100 columns."""
    server = {"TOLLBOOK_URL": url} if url else {}
    programs = str(Path(sys.executable).parent)
    return subprocess.run(  # noqa: S603 - the pages are ours
        command,
        cwd=home,
        env=os.environ
        | {
            "HOME": str(home),
            "USERPROFILE": str(home),
            "TOLLBOOK_HOME": str(home / ".tollbook"),
            "PATH": os.pathsep.join((programs, os.environ["PATH"])),
            "PYTHONIOENCODING": "utf-8",
        }
        | server,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=SECONDS_MAX,
        check=False,
    )


@needs_cli
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if COMMAND.search(page.read_text("utf-8"))],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_what_a_page_shows_is_what_the_program_says(
    page: Path, sandbox: Path, request: pytest.FixtureRequest
) -> None:
    ran = 0
    url = ""
    for block in blocks(page):
        if block.language != "console" or "no-run" in block.words:
            continue
        for step in steps(block):
            if SENDS.search(step.command):
                url = url or request.getfixturevalue("team")
            done = play(sandbox, "sh", "-c", step.command, url=url)
            ran += 1
            shown = f"{block.place}: $ {step.command}\n{done.stdout}"

            assert done.returncode == block.exit_code, shown
            assert not step.answer.strip() or same(step.answer, done.stdout), shown

    assert ran, "the page's commands stand outside console blocks, or none is run"


@needs_cli
def test_the_first_page_shows_the_program_at_work() -> None:
    shown = [
        s for b in blocks(ROOT / "README.md") for s in steps(b) if s.answer.strip()
    ]

    assert shown, "README.md shows no command with its answer"


PYTHON = [b for page in PAGES for b in blocks(page) if b.language == "python"]


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.place)
def test_python_examples_run(
    block: Block, sandbox: Path, request: pytest.FixtureRequest
) -> None:
    if block.text.startswith(">>>"):
        example = sandbox / "example.txt"
        example.write_text(block.text, "utf-8")
        done = play(sandbox, sys.executable, "-m", "doctest", "-o", "ELLIPSIS", example)
    elif "no-run" in block.words:
        compile(block.text, block.place, "exec")
        return
    else:
        url = request.getfixturevalue("team") if SENDS.search(block.text) else ""
        done = play(sandbox, sys.executable, "-W", "error", "-c", block.text, url=url)

    assert done.returncode == block.exit_code, f"{block.place}\n{done.stdout}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if re.match(r"[a-z]+:", link):
            continue
        inside = target.exists() and target.is_relative_to(ROOT)
        if not inside or (anchor and anchor not in anchors(target)):
            broken.append(link)

    assert broken == []


def test_every_page_can_be_reached_from_the_first() -> None:
    seen: set[Path] = set()
    ahead = [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        seen.add(page)
        for link in LINK.findall(page.read_text("utf-8")):
            target = (page.parent / link.partition("#")[0]).resolve()
            if target.is_dir():
                target /= "README.md"
            if target in PAGES and target not in seen:
                ahead.append(target)

    assert len(seen) > 1
    assert [str(page) for page in PAGES if page not in seen] == []


@needs_cli
def test_every_command_has_its_section_and_every_section_its_command() -> None:
    commands = import_module("tollbook.cli.table").COMMANDS

    assert commands
    assert set(named(COMMANDS)) == set(commands)


@needs_cli
def test_every_option_is_in_its_commands_section(tmp_path: Path) -> None:
    documented = named(COMMANDS)
    missing = []
    looked_at = 0
    for name in import_module("tollbook.cli.table").COMMANDS:
        done = play(tmp_path, "tollbook", name, "--help")
        assert done.returncode == 0, done.stdout
        for option in set(re.findall(r"--[a-z][a-z-]+", done.stdout)) - {"--help"}:
            looked_at += 1
            if option not in documented.get(name, ""):
                missing.append(f"{name} {option}")

    assert looked_at
    assert sorted(missing) == []


def exit_codes() -> set[int]:
    """Every ``exit_code = 3`` in the source, and success."""
    return {0} | {
        node.value.value
        for node in source_nodes()
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, int)
        and any(getattr(t, "id", "").lower() == "exit_code" for t in node.targets)
    }


@needs_cli
def test_every_exit_code_is_explained() -> None:
    explained = sections(COMMANDS).get("Exit codes", "")

    assert len(exit_codes()) > 1
    assert [code for code in exit_codes() if f"| {code} |" not in explained] == []


def settings(shape: msgspec.inspect.Type, prefix: str = "") -> Iterator[str]:
    """Every setting's name, as a reader writes it: ``server.port``."""
    if isinstance(shape, msgspec.inspect.StructType):
        for field in shape.fields:
            name = f"{prefix}{field.encode_name}"
            inner = list(settings(field.type, f"{name}."))
            yield from inner or [name]
    elif isinstance(shape, msgspec.inspect.UnionType):
        for choice in shape.types:
            yield from settings(choice, prefix)
    elif isinstance(shape, msgspec.inspect.ListType | msgspec.inspect.VarTupleType):
        yield from settings(shape.item_type, prefix)
    elif isinstance(shape, msgspec.inspect.DictType):
        yield from settings(shape.value_type, f"{prefix}NAME.")


@needs_config
def test_every_setting_is_documented() -> None:
    text = SETTINGS.read_text("utf-8")
    config = import_module("tollbook.config").Config
    names = list(settings(msgspec.inspect.type_info(config)))

    assert names
    assert [name for name in names if f"`{name}`" not in text] == []


@needs_config
def test_every_environment_variable_is_documented() -> None:
    text = SETTINGS.read_text("utf-8")
    names = {
        node.value
        for node in source_nodes()
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"TOLLBOOK_[A-Z_]+[A-Z]", node.value)
    }

    assert sorted(name for name in names if f"`{name}`" not in text) == []


@needs_config
def test_the_settings_page_shows_files_that_can_be_read() -> None:
    examples = [b for page in PAGES for b in blocks(page) if b.language == "toml"]

    assert examples
    for block in examples:
        assert tomllib.loads(block.text), block.place


def source_nodes() -> Iterator[ast.AST]:
    for path in SOURCE.rglob("*.py"):
        yield from ast.walk(ast.parse(path.read_text("utf-8")))


def takes_code(node: ast.FunctionDef) -> Iterator[int]:
    """Where a caller of a function writes its parameter ``code``."""
    names = [arg.arg for arg in node.args.args if arg.arg not in {"self", "cls"}]
    yield from (place for place, name in enumerate(names) if name == "code")


def problem_codes() -> set[str]:
    """Every code that is given to a ``Problem`` or handed on as a ``code``."""
    tree = list(source_nodes())
    takers = {
        (node.name, place)
        for node in tree
        if isinstance(node, ast.FunctionDef)
        for place in takes_code(node)
    }
    given: list[ast.expr] = []
    for node in tree:
        if isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            given += [word.value for word in node.keywords if word.arg == "code"]
            given += [a for n, a in enumerate(node.args) if (called, n) in takers]
    words = [part for expression in given for part in ast.walk(expression)]
    said = {getattr(word, "value", None) for word in words}
    return {word for word in said if isinstance(word, str) and CODE.fullmatch(word)}


def test_every_problem_has_its_section_and_every_section_its_problem() -> None:
    codes = problem_codes()

    assert codes, "no problem code was found in the source"
    assert set(named(PROBLEMS)) == codes


def test_there_are_pages_and_an_example_is_understood() -> None:
    """The readers above must not go blind."""
    text = "```console exit=3\n$ tollbook watch \\\n> --once\nover ... by 3\n```\n"
    match = FENCE.search(text)
    assert match is not None
    block = Block(ROOT / "x.md", 1, match[2], match[3].split(), match[4])

    assert len(PAGES) > 1
    assert list(steps(block)) == [Step("tollbook watch --once", "over ... by 3\n")]
    assert block.exit_code == 3
    assert same("over ... by 3", "over budget by 3  \n")
    assert not same("over ... by 3", "over budget by 4\n")
