"""Measure tollbook on generated transcripts, beside what else reads the same bytes.

    python benchmarks/run.py [--size 1g] [--rounds 5] [--json FILE]

Every figure is a median over rounds in which the contestants take turns, so that a slow
minute of the machine slows all of them. CPU is user plus system time of the whole
process and its children, memory the largest resident size. ``cat`` reading the same
files is the floor; ``ccusage`` (npm) is the peer, and is skipped aloud when it cannot be
had. Times are printed, never asserted: nothing here can fail on a busy machine, except a
total that is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).parent
WORK = HERE / ".work"
TOLLBOOK = str(Path(sys.executable).with_name("tollbook"))
MANY = 5_000
LINE = (
    '{"type":"assistant","timestamp":"2026-11-01T10:00:00.000Z","requestId":"req_NUMBER",'
    '"sessionId":"NUMBER","message":{"id":"msg_01NUMBER","model":"claude-opus-5-5",'
    '"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":5}}}\n'
)
PEER = "20.0.24"  # the newest ccusage whose native binary was on the registry


class Sample:
    """What one run of a command cost."""

    def __init__(
        self, wall: float, cpu: float, memory_mb: float, output: bytes
    ) -> None:
        self.wall = wall
        self.cpu = cpu
        self.memory_mb = memory_mb
        self.output = output


def run(command: Sequence[str], env: dict[str, str]) -> Sample:
    """Run a command to its end; its output is kept, its failure stops the benchmark."""
    started = time.perf_counter()
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE) as process:
        output = process.stdout.read() if process.stdout else b""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - started
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    return Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output)


def corpus(size: str) -> tuple[Path, Path]:
    """The generated transcripts' home and their ground truth; made once."""
    home, truth = WORK / size, WORK / f"{size}.json"
    if not truth.exists():
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        generator = str(HERE / "corpus" / "generate.py")
        arguments = ["--size", size, "--out", str(home), "--truth", str(truth)]
        subprocess.run([sys.executable, generator, *arguments], check=True)
    return home, truth


def many_files() -> Path:
    """A home with ``MANY`` small transcripts: what a look for news has to walk over."""
    home = WORK / "many"
    if not home.exists():
        for number in range(MANY):
            folder = home / ".claude" / "projects" / f"-home-dev-work-{number % 40}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number:08}-0000-4000-8000-000000000000.jsonl").write_text(
                LINE.replace("NUMBER", f"{number:022}")
            )
    return home


def environment(home: Path, ledger: Path) -> dict[str, str]:
    """As little as a command needs; no byte code is written or lost between runs."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {**kept, "HOME": str(home), "TOLLBOOK_HOME": str(ledger), "TZ": "UTC"}


def peer() -> list[str] | None:
    """The native ``ccusage``, installed into the work folder if npm can."""
    folder = WORK / "npm"
    binary = folder / "node_modules" / ".bin" / "ccusage"
    if not binary.exists() and shutil.which("npm"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text("{}")
        subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", f"ccusage@{PEER}"],
            cwd=folder,
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    return [str(binary), "daily", "--json", "--offline"] if binary.exists() else None


Contest = dict[str, Callable[[], Sample]]


def contestants(home: Path, ledger: Path) -> Contest:
    """Everything that is measured, by the name it is printed under."""
    env = environment(home, ledger)
    many = environment(many_files(), ledger.with_name("ledger-many"))
    grown = next(many_files().rglob("*.jsonl"))

    def first_scan() -> Sample:
        shutil.rmtree(ledger, ignore_errors=True)
        return run([TOLLBOOK, "daily", "--json"], env)

    def one_grew() -> Sample:
        with grown.open("a") as file:
            file.write(LINE.replace("NUMBER", f"{time.time_ns():022}"))
        return run([TOLLBOOK, "daily", "--json"], many)

    def statusline() -> Sample:
        return run(["sh", "-c", f"echo '{{}}' | {TOLLBOOK} statusline"], env)

    found: Contest = {
        "cat, every byte": lambda: run(
            ["sh", "-c", "find . -name '*.jsonl' -print0 | xargs -0 cat >/dev/null"],
            {**env, "PWD": str(home)},
        ),
        "first scan and report": first_scan,
        "nothing changed": lambda: run([TOLLBOOK, "daily", "--json"], env),
        f"nothing changed, {MANY} files": lambda: run(
            [TOLLBOOK, "daily", "--json"], many
        ),
        f"one of {MANY} files grew": one_grew,
        "statusline": statusline,
        "--help": lambda: run([TOLLBOOK, "--help"], env),
    }
    command = peer()
    if command is None:
        print("skipped: ccusage could not be installed (is there npm?)")
    else:
        found["ccusage daily --json --offline"] = lambda: run(command, env)
    return found


def measure(contest: Contest, rounds: int) -> dict[str, dict[str, float]]:
    """Medians over rounds; within each round everybody runs once, in turn."""
    samples: dict[str, list[Sample]] = {name: [] for name in contest}
    for number in range(rounds + 1):
        for name, once in contest.items():
            sample = once()
            if number:  # the first round warms caches
                samples[name].append(sample)
    return {
        name: {
            "wall_s": statistics.median(sample.wall for sample in found),
            "cpu_s": statistics.median(sample.cpu for sample in found),
            "memory_mb": max(sample.memory_mb for sample in found),
        }
        for name, found in samples.items()
    }


def check_truth(report: bytes, truth: Path) -> None:
    """A fast wrong answer is worth nothing."""
    totals = json.loads(report)["totals"]
    wanted = json.loads(truth.read_text())
    both = [wanted["total"], wanted["advisors"]]
    for ours, theirs in (
        ("uncached_input_tokens", "input"),
        ("output_tokens", "output"),
        ("cache_read_input_tokens", "cache_read"),
        ("cache_write_5m_tokens", "cache_creation_5m"),
        ("cache_write_1h_tokens", "cache_creation_1h"),
    ):
        expected = sum(part[theirs] for part in both)
        if totals[ours] != expected:
            sys.exit(f"WRONG: {ours} is {totals[ours]}, the truth is {expected}")
    print("totals: equal to the ground truth, to the last token")


def show(figures: dict[str, dict[str, float]], floor: str, rival: str) -> None:
    """Print the table, with ratios against the floor and the peer."""
    print(
        f"{'':32}{'wall ms':>10}{'cpu ms':>10}{'MB':>8}{'wall/cat':>10}{'cpu/peer':>10}"
    )
    for name, row in figures.items():
        against = figures.get(rival)
        print(
            f"{name:32}{row['wall_s'] * 1000:10.0f}{row['cpu_s'] * 1000:10.0f}"
            f"{row['memory_mb']:8.0f}{row['wall_s'] / figures[floor]['wall_s']:10.2f}"
            + (f"{row['cpu_s'] / against['cpu_s']:10.2f}" if against else "")
        )


def main() -> None:
    """Measure one corpus and say what it was measured on."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("--size", default="1g", help="50m, 1g, 4g or a number of bytes")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    chosen = parser.parse_args()
    home, truth = corpus(chosen.size)
    files = list(home.rglob("*.jsonl"))
    size = sum(path.stat().st_size for path in files)
    print(f"{size / 1e9:.2f} GB in {len(files)} files, {chosen.rounds} rounds,")
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}"
    )
    os.chdir(home)
    contest = contestants(home, WORK / "ledger")
    figures = measure(contest, chosen.rounds)
    check_truth(contest["first scan and report"]().output, truth)
    show(figures, "cat, every byte", "ccusage daily --json --offline")
    print(
        f"peak of this script: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss} kB"
    )
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
