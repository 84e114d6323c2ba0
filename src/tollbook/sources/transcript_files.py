"""Which transcript files there are, and what became of them since the last look."""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from tollbook.core.identity import Chain
from tollbook.core.problem import Problem
from tollbook.ports import Pending, StrPath

SOURCE = "claude-code"
SURVEY = ""  # the origin of what is said of no file's content
HASH_BYTES = 16_384


class Cursor(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How far a file was read, and how to know it again."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int  # cannot be set back, unlike the modification time
    offset: int = 0  # bytes read, up to a line's end
    line: int = 0  # lines read
    head: int = 0  # checksum of the first bytes read, at most HASH_BYTES
    tail: int = 0  # checksum of the last bytes read, at most HASH_BYTES
    chain: Chain | None = None  # an answer whose further lines may still come


encode_cursor = msgspec.msgpack.Encoder().encode
decode_cursor = msgspec.msgpack.Decoder(Cursor).decode


class Found(msgspec.Struct, frozen=True, gc=False):
    """One file that has something new."""

    path: str
    project: str  # the folder below the root, which stands for the working folder
    seen: Cursor  # as the file system shows it now
    saved: bytes | None  # the cursor of the last read
    known: Cursor | None  # the same, decoded


class Odds(msgspec.Struct, frozen=True, gc=False):
    """What a survey could not look at, when that is not what it said the last time."""

    problems: Sequence[Problem]
    saved: bytes | None


encode_problems = msgspec.msgpack.Encoder().encode


def cursor_of(status: os.stat_result) -> Cursor:
    """A cursor at the beginning of a file."""
    return Cursor(
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def is_of(saved: bytes, status: os.stat_result) -> bool:
    """Whether nothing at all happened to a file since its cursor was saved.

    A cursor begins with what the file system said, so thousands are compared undecoded.
    """
    now = encode_cursor(
        (
            status.st_dev,
            status.st_ino,
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
        )
    )
    return saved.startswith(now[1:], 1)  # behind the number of fields


def checksum(data: bytes | memoryview) -> int:
    """Tells whether bytes are what they were."""
    return zlib.crc32(data)


def survey(roots: Sequence[StrPath], cursors: Mapping[str, bytes]) -> Pending:
    """What is new below some folders, at the price of a look at each file's status."""
    items: list[Found | Odds] = []
    problems: list[Problem] = []
    size = 0
    visited: set[str] = set()
    for root in roots:
        for found in walk(root):
            if isinstance(found, Problem):
                problems.append(found)
                continue
            path, project, status = found
            if path in visited:
                continue
            visited.add(path)
            saved = cursors.get(path)
            if saved is None or not is_of(saved, status):
                known = None if saved is None else decode_cursor(saved)
                items.append(Found(path, project, cursor_of(status), saved, known))
                size += _unread(status.st_size, known)
    said = cursors.get(SURVEY)
    if encode_problems(problems) != (said or encode_problems([])):
        items.append(Odds(problems, said))
    return Pending(items=items, origins=len(visited), size=size)


def _unread(size: int, known: Cursor | None) -> int:
    if known is None or size <= known.offset:
        return size
    return size - known.offset


def walk(root: StrPath) -> Iterator[tuple[str, str, os.stat_result] | Problem]:
    """Every transcript below a root: path, project and status; what cannot be looked at.

    Links are not followed: what they point to inside the root is found by itself, what
    lies outside is none of ours.
    """
    base = os.fspath(root)
    folder_name = os.path.basename(os.path.abspath(base))
    if os.path.isfile(base):
        yield (
            base,
            os.path.basename(os.path.dirname(os.path.abspath(base))),
            os.stat(base),
        )
        return
    pending = [(base, "")]
    while pending:
        folder, project = pending.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    name = entry.name
                    if name.endswith(".jsonl") and not entry.is_dir(
                        follow_symlinks=False
                    ):
                        status = entry.stat(follow_symlinks=False)
                        if stat.S_ISREG(status.st_mode):
                            yield entry.path, project or folder_name, status
                        elif (odd := _odd(entry.path, status, base)) is not None:
                            yield odd
                    elif entry.is_dir(follow_symlinks=False):
                        pending.append((entry.path, project or name))
                    elif entry.is_symlink():
                        yield from _linked_folder(entry.path, base)
        except OSError as error:
            yield unreadable(folder, error)


def _linked_folder(path: str, base: str) -> Iterator[Problem]:
    if os.path.isdir(path):
        odd = _odd(path, os.lstat(path), base)
        if odd is not None:
            yield odd


def _odd(path: str, status: os.stat_result, base: str) -> Problem | None:
    if stat.S_ISLNK(status.st_mode):
        target = os.path.realpath(path)
        inside = os.path.realpath(base)
        if target == inside or target.startswith(inside + os.sep):
            return None
        return Problem(
            origin=path,
            line=0,
            code="file-outside",
            message="the link leads out of the folder and was not followed; "
            "give its target to `tollbook scan` if it is yours",
        )
    return Problem(
        origin=path,
        line=0,
        code="file-not-regular",
        message="a pipe, socket or device is no transcript; remove it from the folder",
    )


def unreadable(path: str, error: OSError) -> Problem:
    """A file or folder that is there and cannot be read."""
    return Problem(
        origin=path,
        line=0,
        code="file-unreadable",
        message=f"cannot be read ({error.strerror}); check its owner and permissions",
    )
