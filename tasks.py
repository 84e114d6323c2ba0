"""Every chore of this project, for a machine that has only Python 3.11 or newer.

    python3 tasks.py run [ARGS]     run tollbook from this folder
    python3 tasks.py test [ARGS]    all that must pass; ARGS go to pytest
    python3 tasks.py check          only what needs no test run: lint, types, floor plan
    python3 tasks.py dev            make .venv ready for an editor
    python3 tasks.py golden [ARGS]  rewrite the golden files; then read the diff
    python3 tasks.py bench [ARGS]   the benchmarks
    python3 tasks.py night [ARGS]   the slow tests, and every property test for longer
    python3 tasks.py wheel          build the wheel, install it elsewhere, start it
    python3 tasks.py lock [ARGS]    renew the requirement files; ARGS go to uv

Packages come from the hash-pinned requirement files, into ``.venv`` and nowhere else.
``uv`` does the same faster when it is on the PATH; only ``lock`` cannot do without.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "tollbook.stamp"

RUNTIME = "requirements.lock"
BUILD = "requirements-build.lock"
DEV = "requirements-dev.lock"  # holds the other two
BACKEND = "hatchling\neditables\n"  # what puts this folder into an environment
TO_RUN = (RUNTIME, BUILD)
TO_DEVELOP = (DEV,)

STATIC = (("ruff", "check"), ("ruff", "format", "--check"), ("mypy",))
PLANS = ("tests/test_architecture.py", "tests/test_house.py", "tests/test_docs.py")
COVERAGE = ("--cov", "--cov-report=term-missing")


def main(argv: Sequence[str]) -> int:
    """Do one chore; the exit code says whether it went well."""
    if sys.version_info < (3, 11):  # noqa: UP036 - older ones get here, and are told
        print("tollbook needs Python 3.11 or newer", file=sys.stderr)
        return 2
    name, args = (argv[0], list(argv[1:])) if argv else ("help", [])
    task = TASKS.get(name)
    if task is None:
        print(__doc__)
        return 0 if name in {"help", "-h", "--help"} else 2
    return attempt(task, args)


def run(args: Sequence[str]) -> int:
    """Become tollbook, in the folder the user stands in."""
    prepare(TO_RUN)
    tollbook = binary(VENV, "tollbook")
    if os.name != "nt":  # there exec gives the prompt back before the program ends
        os.execv(tollbook, [str(tollbook), *args])  # noqa: S606 - no shell, on purpose
    return subprocess.call([tollbook, *args])


def dev(_: Sequence[str]) -> int:
    """Make the environment ready, and nothing else."""
    prepare(TO_DEVELOP)
    return 0


def check(_: Sequence[str]) -> int:
    """Lint, types, floor plan, house rules and documentation."""
    prepare(TO_DEVELOP)
    return static() | pytest(*PLANS)


def test(args: Sequence[str]) -> int:
    """Everything. pytest comes last, so that its verdict ends the log.

    A part of the tests, which ``args`` may choose, cannot reach every line.
    """
    prepare(TO_DEVELOP)
    coverage = () if args else COVERAGE
    return static() | attempt(wheel) | pytest("-m", "not night", *coverage, *args)


def golden(args: Sequence[str]) -> int:
    """Rewrite the expected files from what the program says now."""
    prepare(TO_DEVELOP)
    return pytest("-m", "not night", "--golden", *args)


def bench(args: Sequence[str]) -> int:
    """Run the benchmarks."""
    prepare(TO_DEVELOP)
    return tool("python", ROOT / "benchmarks" / "run.py", *args)


def night(args: Sequence[str]) -> int:
    """The whole suite with the slow tests, and many more random examples."""
    prepare(TO_DEVELOP)
    return pytest("--hypothesis-profile=night", *args)


def wheel(_: Sequence[str]) -> int:
    """Build the wheel, install it into an empty environment, start it there."""
    prepare(TO_DEVELOP)
    with tempfile.TemporaryDirectory(prefix="tollbook-wheel-") as scratch:
        folder = Path(scratch)
        say("building the wheel")
        python = binary(VENV, "python")
        call(python, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
        built = next(folder.glob("*.whl"))
        missing = sorted(sources() - set(zipfile.ZipFile(built).namelist()))
        if missing:
            print("the wheel lacks", *missing, sep="\n  ", file=sys.stderr)
            return 1
        say("installing the wheel into an empty environment")
        elsewhere = folder / "venv"
        create(elsewhere)
        install(elsewhere, "--require-hashes", "-r", ROOT / RUNTIME)
        install(elsewhere, "--no-deps", built)
        say("starting it")
        home = {"HOME": scratch, "USERPROFILE": scratch, "TOLLBOOK_HOME": scratch}
        for argument in ("--version", "--help"):
            call(binary(elsewhere, "tollbook"), argument, cwd=folder, env=home)
    return 0


def lock(args: Sequence[str]) -> int:
    """Pin what pyproject.toml asks for; ``--upgrade`` moves pins that still fit."""
    uv = shutil.which("uv") or shutil.which("uv", path=str(binary(VENV, "uv").parent))
    if uv is None:
        print(
            "the locks are renewed by uv, which is neither on the PATH nor in .venv",
            file=sys.stderr,
        )
        return 2
    for output, wanted in (
        (RUNTIME, ("pyproject.toml",)),
        (BUILD, ("-", "-c", RUNTIME)),
        (DEV, ("pyproject.toml", "--group", "dev", "-", "-c", RUNTIME, "-c", BUILD)),
    ):
        command = [uv, "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
        command += ["--python-version", "3.11", "--no-header", "--no-emit-index-url"]
        command += ["--no-annotate", *wanted, *args, "-o", output]
        subprocess.run(command, cwd=ROOT, check=True, input=BACKEND, text=True)
    return 0


TASKS = {
    task.__name__: task
    for task in (run, test, check, dev, golden, bench, night, wheel, lock)
}


def attempt(task: Callable[[Sequence[str]], int], args: Sequence[str] = ()) -> int:
    """Do a task; a program that failed in it is named, without a traceback."""
    try:
        return task(args)
    except subprocess.CalledProcessError as failed:
        command = " ".join(map(str, failed.cmd))
        print(f"failed with exit code {failed.returncode}: {command}", file=sys.stderr)
        return 1


def static() -> int:
    """Run each linter, also after one has complained."""
    return max([tool(*command) for command in STATIC])


def pytest(*args: str) -> int:
    """Run the tests."""
    return tool("python", "-m", "pytest", *args)


def tool(name: str, *args: str | Path) -> int:
    """Run a program of the environment in this folder; give its exit code."""
    say(" ".join(map(str, (name, *args))))
    return subprocess.call([binary(VENV, name), *args], cwd=ROOT)


def prepare(locks: Sequence[str]) -> None:
    """Bring ``.venv`` to what ``locks`` say. Costs a hash when it is there already."""
    stamp = digest(locks)
    ready = {stamp, digest(TO_DEVELOP)}  # who can develop can run
    if binary(VENV, "python").exists():
        if STAMP.exists() and STAMP.read_text("utf-8") in ready:
            return
    else:
        create(VENV)
    say(f"installing {' and '.join(locks)} into {VENV.name}")
    STAMP.unlink(missing_ok=True)
    for name in locks:
        install(VENV, "--require-hashes", "-r", ROOT / name)
    install(VENV, "--no-deps", "--no-build-isolation", "-e", ROOT)
    STAMP.write_text(stamp, "utf-8")


def digest(locks: Sequence[str]) -> str:
    """What an environment was made from."""
    files = [ROOT / "pyproject.toml", *(ROOT / name for name in locks)]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def create(folder: Path) -> None:
    """Make an empty environment, with pip only where that is the installer."""
    venv.create(folder, clear=True, with_pip=shutil.which("uv") is None)


def install(folder: Path, *args: str | Path) -> None:
    """Install into the environment in ``folder``."""
    python = binary(folder, "python")
    uv = shutil.which("uv")
    if uv:
        call(uv, "pip", "install", "--quiet", "--python", python, *args)
        return
    if subprocess.call([python, "-c", "import pip"], stderr=subprocess.DEVNULL):
        call(python, "-m", "ensurepip")  # it was made when there was a uv
    options = ("--quiet", "--disable-pip-version-check")
    call(python, "-m", "pip", "install", *options, *args)


def call(
    *command: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None
) -> None:
    """Run a program that must succeed; show what it said only when it does not."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | (env or {}),
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        sys.stderr.write(done.stdout.decode("utf-8", "replace"))
        done.check_returncode()


def binary(folder: Path, name: str) -> Path:
    """Where an environment keeps a program."""
    if os.name == "nt":
        return folder / "Scripts" / f"{name}.exe"
    return folder / "bin" / name


def sources() -> set[str]:
    """Every file of the package, as a wheel names it."""
    package = ROOT / "src"
    return {
        path.relative_to(package).as_posix()
        for path in (package / "tollbook").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def say(what: str) -> None:
    """Tell what comes next, apart from what programs print."""
    print(f"-- {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
