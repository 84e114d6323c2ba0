"""The floor plan, enforced.

Every rule is a function from the package's modules to how many places it looked at and
what is wrong there. It runs twice: over the package, where it must have looked at
something and found nothing wrong, and over a sample that breaks it, where it must bite.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import accumulate
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
PACKAGE = "tollbook"

# A room imports from lower floors only: never upwards, never next door.
FLOOR = {
    "": -1,  # tollbook/__init__.py: everybody runs it, so it may import nobody
    "core": 0,
    "formats": 1, "places": 1, "ports": 1, "render": 1,
    "alerts": 2, "config": 2, "ledger": 2, "prices": 2, "sdk": 2, "sources": 2,
    "stores": 2,
    "wiring": 3,
    "http": 4,
    "cli": 5,
    "__main__": 6,
}  # fmt: skip

# What a pure room may import from outside. Nothing here reads a file, a clock or a die.
PLAIN = {
    "__future__", "base64", "bisect", "collections", "dataclasses", "datetime",
    "decimal", "enum", "fractions", "functools", "hashlib", "heapq", "itertools",
    "math.comb", "math.gcd", "math.isqrt", "math.lcm", "math.prod", "msgspec",
    "operator", "re", "string", "types", "typing", "unicodedata", "zlib",
}  # fmt: skip
PURE = {
    "core": PLAIN,
    "formats": PLAIN
    | {"brotli", "csv", "google.protobuf", "io", "opentelemetry.proto", "stringzilla"}
    | {"urllib.parse", "zstandard"},
    "render": PLAIN | {"csv", "html", "io", "rich", "textwrap", "zoneinfo"},
}
WORLDLY_CALLS = {"breakpoint", "eval", "exec", "input", "open", "print"}
WORLDLY_METHODS = {
    "now", "open", "read_bytes", "read_text", "today", "utcnow", "write_bytes",
    "write_text",
}  # fmt: skip

EXACT = {"core", "formats", "ledger"}
LAZY = {f"{PACKAGE}.{name}" for name in ("cli", "cli.late", "cli.table", "wiring")}
MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 40

Modules = dict[str, ast.Module]
"""Syntax trees by dotted name; a package goes by its own name, without ``__init__``."""

Verdict = tuple[int, list[str]]
"""How many places were looked at, and what is wrong."""

Rule = Callable[[Modules], Verdict]
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def package() -> Modules:
    """Every module of the package."""
    return {
        ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(
            ".__init__"
        ): ast.parse(path.read_text("utf-8"), str(path))
        for path in sorted((SOURCE / PACKAGE).rglob("*.py"))
    }


def room_of(module: str) -> str:
    """``core`` for ``tollbook.core.money``, and nothing for ``tollbook``."""
    return module.removeprefix(PACKAGE).removeprefix(".").partition(".")[0]


def ours(module: str) -> bool:
    """Whether a dotted name lies in the package."""
    return module == PACKAGE or module.startswith(f"{PACKAGE}.")


def imports_of(name: str, tree: ast.Module, known: Modules) -> Iterator[str]:
    """What one module imports, now or by lazy loading: our modules, others' names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                module, whole = node.module or "", f"{node.module}.{alias.name}"
                room = module == PACKAGE and room_of(whole) in FLOOR
                yield module if ours(module) and not (room or whole in known) else whole
        elif name in LAZY and isinstance(node, ast.Constant):
            text = node.value.partition(":")[0] if isinstance(node.value, str) else ""
            if re.fullmatch(rf"{PACKAGE}(\.\w+)+", text):
                yield text


def nodes(
    modules: Modules, rooms: set[str] | None = None
) -> Iterator[tuple[str, ast.AST]]:
    """Every piece of syntax in some rooms, with its place."""
    for name, tree in modules.items():
        if rooms is None or room_of(name) in rooms:
            for node in ast.walk(tree):
                yield f"{name}:{getattr(node, 'lineno', 1)}", node


def look(
    modules: Modules,
    wrong: Callable[[ast.AST], str | None],
    rooms: set[str] | None = None,
) -> Verdict:
    """Ask of every piece of syntax what is wrong with it."""
    looked_at = 0
    found = []
    for place, node in nodes(modules, rooms):
        looked_at += 1
        complaint = wrong(node)
        if complaint:
            found.append(f"{place}: {complaint}")
    return looked_at, found


def imports_only_go_down(modules: Modules) -> Verdict:
    looked_at, found = 0, []
    for name, tree in modules.items():
        room = room_of(name)
        for imported in filter(ours, imports_of(name, tree, modules)):
            looked_at += 1
            target = room_of(imported)
            higher = FLOOR.get(target, 99) >= FLOOR.get(room, -1)
            if imported not in modules:
                found.append(f"{name} imports {imported}, which does not exist")
            if higher and (target != room or room == ""):
                found.append(f"{name} may not import {imported}")
    return looked_at, found


def every_room_has_a_floor(modules: Modules) -> Verdict:
    rooms = {room_of(name) for name in modules}
    return len(rooms), [f"{room} has no floor" for room in sorted(rooms - set(FLOOR))]


def no_module_needs_itself(modules: Modules) -> Verdict:
    graph = {
        name: set(imports_of(name, tree, modules)) & set(modules)
        for name, tree in modules.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return len(graph), [" -> ".join(error.args[1])]
    return sum(map(len, graph.values())), []


def pure_rooms_import_only_pure_things(modules: Modules) -> Verdict:
    looked_at, found = 0, []
    for name, tree in modules.items():
        allowed = PURE.get(room_of(name))
        if allowed is not None:
            for imported in imports_of(name, tree, modules):
                looked_at += 1
                above = accumulate(imported.split("."), "{}.{}".format)
                if not ours(imported) and allowed.isdisjoint(above):
                    found.append(f"{name} is pure, it may not import {imported}")
    return looked_at, found


def pure_rooms_do_not_touch_the_world(modules: Modules) -> Verdict:
    def wrong(node: ast.AST) -> str | None:
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in WORLDLY_CALLS:
                return f"{name}() has no place in a pure room"
            case ast.Call(func=ast.Attribute(attr=name)) if name in WORLDLY_METHODS:
                return f".{name}() has no place in a pure room"
        return None

    return look(modules, wrong, set(PURE))


def exact_rooms_hold_no_floats(modules: Modules) -> Verdict:
    def wrong(node: ast.AST) -> str | None:
        match node:
            case ast.Constant(value=float() | complex()):
                return "a float literal"
            case ast.Call(func=ast.Name(id="float")):
                return "float()"
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                return "a division that gives a float: use // or divmod"
            case (
                ast.AnnAssign(annotation=kind)
                | ast.arg(annotation=kind)
                | ast.FunctionDef(returns=kind)
            ) if kind and any(
                isinstance(part, ast.Name) and part.id == "float"
                for part in ast.walk(kind)
            ):
                return "typed float: use Decimal or int"
        return None

    return look(modules, wrong, EXACT)


def imports_stand_at_the_top(modules: Modules) -> Verdict:
    def wrong(node: ast.AST) -> str | None:
        inside = isinstance(node, FUNCTION) and any(
            isinstance(part, ast.Import | ast.ImportFrom) for part in ast.walk(node)
        )
        return "an import inside a function" if inside else None

    return look(modules, wrong)


def imports_are_absolute(modules: Modules) -> Verdict:
    return look(
        modules,
        lambda node: (
            "a relative import"
            if isinstance(node, ast.ImportFrom) and node.level
            else None
        ),
    )


def types_are_not_imported_apart(modules: Modules) -> Verdict:
    def wrong(node: ast.AST) -> str | None:
        match node:
            case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
                return "TYPE_CHECKING hides a cycle"
            case ast.alias(name="TYPE_CHECKING"):
                return "TYPE_CHECKING hides a cycle"
        return None

    return look(modules, wrong)


def lazy_loading_has_its_places(modules: Modules) -> Verdict:
    loaders = {"__import__", "import_module", "exec_module", "spec_from_file_location"}

    def wrong(node: ast.AST) -> str | None:
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name):
                return f"{name} belongs to the tables" if name in loaders else None
        return None

    lazy = LAZY | {PACKAGE}  # everybody runs it, applications ask it for the client
    return look({n: tree for n, tree in modules.items() if n not in lazy}, wrong)


def the_front_door_leads_to_the_client_only(modules: Modules) -> Verdict:
    """``tollbook/__init__.py`` loads what an application asks it for, and no more."""
    texts = [
        node.value
        for _, node in nodes(modules, {""})
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    places = [text for text in texts if re.fullmatch(rf"{PACKAGE}(\.\w+)+", text)]
    return len(texts), [
        f"{PACKAGE} may not load {place}" for place in places if room_of(place) != "sdk"
    ]


def functions_fit_a_screen(modules: Modules) -> Verdict:
    looked_at, found = 0, []
    for place, node in nodes(modules):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            looked_at += 1
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                found.append(f"{place}: {node.name} has {lines} lines")
    return looked_at, found


def modules_say_what_lives_there(modules: Modules) -> Verdict:
    return len(modules), [
        f"{name} has no docstring"
        for name, tree in modules.items()
        if not ast.get_docstring(tree)
    ]


# Each rule with a module that breaks it.
RULES: list[tuple[Rule, str, str]] = [
    (imports_only_go_down, "core.x", "from tollbook.cli import main"),
    (imports_only_go_down, "core.x", "from tollbook import ledger"),
    (imports_only_go_down, "formats.x", "import tollbook.render.text"),
    (imports_only_go_down, "wiring", "LATER = 'tollbook.http.app:make'"),
    (every_room_has_a_floor, "attic.x", ""),
    (no_module_needs_itself, "core.x", "from tollbook.core.x import y"),
    (pure_rooms_import_only_pure_things, "core.x", "import os"),
    (pure_rooms_import_only_pure_things, "formats.x", "from urllib import request"),
    (pure_rooms_import_only_pure_things, "core.x", "from math import sqrt"),
    (pure_rooms_do_not_touch_the_world, "core.x", "open('ledger')"),
    (pure_rooms_do_not_touch_the_world, "render.x", "at = datetime.now(UTC)"),
    (exact_rooms_hold_no_floats, "core.x", "RATE = 1.25"),
    (exact_rooms_hold_no_floats, "ledger.x", "share = float(part)"),
    (exact_rooms_hold_no_floats, "formats.x", "half = whole / 2"),
    (exact_rooms_hold_no_floats, "formats.x", "costUSD: float | None"),
    (exact_rooms_hold_no_floats, "formats.x", "def cost() -> float: ..."),
    (imports_stand_at_the_top, "cli.x", "def f():\n    import tollbook.core"),
    (imports_are_absolute, "core.x", "from . import money"),
    (types_are_not_imported_apart, "cli.x", "from typing import TYPE_CHECKING"),
    (lazy_loading_has_its_places, "sdk.x", "importlib.import_module('json')"),
    (the_front_door_leads_to_the_client_only, "", "LATER = 'tollbook.http.app'"),
    (functions_fit_a_screen, "cli.x", "def f():\n" + "    pass\n" * FUNCTION_LINES_MAX),
    (modules_say_what_lives_there, "core.x", "x = 1"),
]


@pytest.mark.parametrize(
    "rule", dict.fromkeys(rule for rule, _, _ in RULES), ids=lambda rule: rule.__name__
)
def test_the_package_keeps(rule: Rule) -> None:
    looked_at, wrong = rule(package())

    assert wrong == []
    assert looked_at > 0, "the rule no longer finds the package"


@pytest.mark.parametrize(("rule", "name", "text"), RULES)
def test_the_rule_bites(rule: Rule, name: str, text: str) -> None:
    _, wrong = rule({f"{PACKAGE}.{name}": ast.parse(text)})

    assert wrong != []


def test_every_rule_is_tried() -> None:
    rules = {
        value
        for value in globals().values()
        if getattr(value, "__annotations__", {})
        == {"modules": "Modules", "return": "Verdict"}
    }

    assert rules == {rule for rule, _, _ in RULES}


def test_every_folder_of_the_package_has_a_floor() -> None:
    rooms = {
        path.stem
        for path in (SOURCE / PACKAGE).iterdir()
        if path.is_dir() or path.suffix == ".py"
    } - {"__init__", "__pycache__"}

    assert rooms
    assert rooms <= set(FLOOR)


def test_no_module_is_longer_than_a_sitting() -> None:
    lengths = {
        str(path.relative_to(ROOT)): path.read_text("utf-8").count("\n")
        for folder in ("src", "tests", "benchmarks")
        for path in [*(ROOT / folder).rglob("*.py"), ROOT / "tasks.py"]
        if "corpus" not in path.parts and ".work" not in path.parts  # frozen, not read
    }

    assert lengths
    assert {n: lines for n, lines in lengths.items() if lines > MODULE_LINES_MAX} == {}
