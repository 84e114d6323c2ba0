"""``tollbook.sources.transcripts``: whatever happens to files, nothing lost or doubled."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lines import ID, answer, compact, counted, request, text_of
from strategies import MESSAGE_IDS, FlatPricer
from tollbook.ledger.scan import scan
from tollbook.ports import Appended, Batch
from tollbook.sources import transcripts
from tollbook.sources.transcripts import TranscriptFolders
from tollbook.stores.memory import MemoryStore

ALWAYS = (0, 2**62)


def ledger() -> MemoryStore:
    """A new ledger."""
    return MemoryStore(FlatPricer(), "v1")


def look(store: MemoryStore, *roots: Path) -> Appended:
    """Scan some folders."""
    return scan(TranscriptFolders(roots), store, now=lambda: 1)


def known(store: MemoryStore) -> dict[str | None, int | None]:
    """Message ids in the ledger and their output counts."""
    found = {}
    for name in (*MESSAGE_IDS, "req_1", "req_2"):
        for stored in store.find_events(response=name):
            [part] = stored.event.parts
            found[stored.event.message_id] = part.usage.get("output_tokens")
    return found


def codes(store: MemoryStore) -> list[tuple[str, int, str]]:
    """Every problem by file name, line and code."""
    return [(Path(p.origin).name, p.line, p.code) for p in store.problems()]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with one project."""
    folder = tmp_path / "projects"
    (folder / "-work").mkdir(parents=True)
    return folder


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A transcript that lies elsewhere."""
    path = tmp_path / "elsewhere.jsonl"
    path.write_bytes(text_of(answer()))
    yield path
    assert path.read_bytes() == text_of(answer())


def second() -> dict[str, object]:
    """The line of another response."""
    usage = {"input_tokens": 1, "output_tokens": 7}
    return answer({"id": MESSAGE_IDS[1]}, usage, requestId="req_2")


def write(root: Path, *lines: object, name: str = "1.jsonl") -> Path:
    """A transcript of one project."""
    path = root / "-work" / name
    path.write_bytes(text_of(*lines))
    return path


def test_a_growing_file_is_read_from_where_it_was_left(root: Path) -> None:
    store = ledger()
    path = write(root, counted(1, final=False))
    look(store, root)
    with path.open("ab") as file:
        file.write(text_of(counted(502)))
    appended = look(store, root)

    assert appended == Appended(lines=1, added=1)
    assert known(store) == {ID: 502}


def test_what_was_read_stays_when_the_file_is_deleted(root: Path) -> None:
    store = ledger()
    path = write(root, answer())
    look(store, root)
    path.unlink()

    assert look(store, root) == Appended()
    assert known(store) == {ID: 502}


def test_a_file_that_vanishes_before_it_is_read_is_no_problem(root: Path) -> None:
    source = TranscriptFolders([root])
    path = write(root, answer())
    pending = source.survey({})
    path.unlink()

    assert list(source.read(pending)) == []


def test_a_last_line_without_newline_counts_and_is_not_read_twice(root: Path) -> None:
    store = ledger()
    path = write(root)
    path.write_bytes(compact(answer()))
    look(store, root)

    assert known(store) == {ID: 502}
    with path.open("ab") as file:
        file.write(b"\n" + text_of(answer(), second()))
    look(store, root)

    assert known(store) == {ID: 502, MESSAGE_IDS[1]: 7}


def test_a_torn_last_line_waits_for_its_end(root: Path) -> None:
    store = ledger()
    path = write(root)
    text = text_of(answer())
    path.write_bytes(text[:-50])
    appended = look(store, root)

    assert (appended.lines, store.problems()) == (0, [])
    path.write_bytes(text)
    look(store, root)
    assert known(store) == {ID: 502}


def test_a_problem_stands_until_its_file_is_read_afresh(root: Path) -> None:
    store = ledger()
    path = write(root, b'{"usage":', answer())
    look(store, root)

    assert codes(store) == [("1.jsonl", 1, "line-not-json")]
    path.write_bytes(text_of(answer()))
    look(store, root)
    assert codes(store) == []


def test_the_same_file_under_two_roots_is_read_once(root: Path) -> None:
    store = ledger()
    write(root, answer())

    assert look(store, root, root).lines == 1


def test_several_roots_make_one_ledger(tmp_path: Path) -> None:
    store = ledger()
    for place, message_id in enumerate(MESSAGE_IDS[:3]):
        folder = tmp_path / str(place) / "-work"
        folder.mkdir(parents=True)
        line = answer({"id": message_id}, requestId=f"req_x{place}")
        (folder / "1.jsonl").write_bytes(text_of(line, answer()))
    look(store, *(tmp_path / str(place) for place in range(3)))

    assert store.coverage().responses == 3


def test_a_root_that_is_not_there_holds_nothing_yet(tmp_path: Path) -> None:
    store = ledger()
    look(store, tmp_path / "missing")

    assert store.coverage().responses == 0


def test_a_single_file_can_be_a_root(outside: Path) -> None:
    store = ledger()
    look(store, outside)

    assert known(store) == {ID: 502}


def test_a_link_out_of_the_folder_is_a_problem_and_not_followed(
    root: Path, outside: Path
) -> None:
    store = ledger()
    (root / "-work" / "out.jsonl").symlink_to(outside)
    look(store, root)

    assert known(store) == {}
    assert codes(store) == [("out.jsonl", 0, "file-outside")]

    (root / "-work" / "out.jsonl").unlink()
    look(store, root)

    assert codes(store) == []


def test_a_linked_folder_outside_is_a_problem_and_not_followed(
    root: Path, outside: Path
) -> None:
    store = ledger()
    (root / "linked").symlink_to(outside.parent, target_is_directory=True)
    (root / "loop").symlink_to(root / "loop")
    write(root, answer())
    look(store, root)

    assert known(store) == {ID: 502}
    assert codes(store) == [("linked", 0, "file-outside")]


def test_a_link_within_the_folder_is_found_by_its_target(root: Path) -> None:
    store = ledger()
    path = write(root, answer())
    (root / "-work" / "in.jsonl").symlink_to(path)

    assert look(store, root).lines == 1
    assert codes(store) == []


def test_a_link_to_nowhere_and_a_ring_of_links_stop_nobody(root: Path) -> None:
    store = ledger()
    write(root, answer())
    (root / "-work" / "gone.jsonl").symlink_to(root / "nothing.jsonl")
    (root / "-work" / "ring").symlink_to(root)
    look(store, root)

    assert known(store) == {ID: 502}


def test_a_pipe_is_a_problem_and_blocks_nobody(root: Path) -> None:
    store = ledger()
    os.mkfifo(root / "-work" / "pipe.jsonl")
    write(root, answer())
    look(store, root)

    assert known(store) == {ID: 502}
    assert codes(store) == [("pipe.jsonl", 0, "file-not-regular")]


def test_a_file_that_became_a_pipe_blocks_nobody(root: Path) -> None:
    source = TranscriptFolders([root])
    path = write(root, answer())
    pending = source.survey({})
    path.unlink()
    os.mkfifo(path)

    assert [seen for batch in source.read(pending) for seen in batch.observations] == []


def test_an_unreadable_folder_is_a_problem_beside_the_good_ones(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ledger()
    write(root, answer())
    (root / "-locked").mkdir()
    open_folder = os.scandir

    def refuse(path: str) -> Iterator[os.DirEntry[str]]:
        if path.endswith("-locked"):
            raise PermissionError(13, "Permission denied")
        return open_folder(path)

    monkeypatch.setattr(os, "scandir", refuse)
    look(store, root)

    assert known(store) == {ID: 502}
    assert codes(store) == [("-locked", 0, "file-unreadable")]


def test_a_folder_given_with_a_slash_at_its_end_has_the_same_files(root: Path) -> None:
    store = ledger()
    write(root, answer())
    look(store, root)
    spelled = TranscriptFolders([f"{root}{os.sep}"])

    pending = spelled.survey(store.cursors(spelled.name))

    assert (pending.origins, pending.items) == (1, [])


def test_an_unreadable_file_is_a_problem_and_is_tried_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ledger()
    write(root, answer())
    open_file = os.open
    with monkeypatch.context() as patch:

        def refuse(path: str, flags: int) -> int:
            if path.endswith(".jsonl"):
                raise PermissionError(13, "Permission denied", path, flags)
            return open_file(path, flags)

        patch.setattr(os, "open", refuse)
        look(store, root)
        assert codes(store) == [("1.jsonl", 0, "file-unreadable")]
    look(store, root)

    assert known(store) == {ID: 502}
    assert codes(store) == []


def test_a_line_beyond_the_limit_is_passed_over(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcripts, "_BLOCK_BYTES", 1 << 10)
    monkeypatch.setattr(transcripts, "LINE_BYTES_MAX", 4 << 10)
    store = ledger()
    giant = answer({"content": "x" * 20_000})
    path = write(root, answer(), giant, second())
    look(store, root)

    assert codes(store) == [("1.jsonl", 2, "line-too-long")]
    assert set(known(store)) == {ID, MESSAGE_IDS[1]}
    with path.open("ab") as file:
        file.write(text_of(b'{"usage":'))
    look(store, root)
    assert codes(store)[-1] == ("1.jsonl", 4, "line-not-json")


def test_a_gigabyte_in_one_line_needs_no_gigabyte_of_memory(root: Path) -> None:
    path = write(root, answer())
    with path.open("r+b") as file:
        file.seek(1 << 30)
        file.write(b"\n" + text_of(answer(requestId="req_2")))
    source = TranscriptFolders([root])
    batches = source.read(source.survey({}))
    sizes = []
    for batch in batches:
        frame = batches.gi_frame  # type: ignore[attr-defined]  # a generator has one
        if frame is not None and "buffer" in frame.f_locals:
            sizes.append(len(frame.f_locals["buffer"]))
        assert isinstance(batch, Batch)

    assert sizes
    assert max(sizes) <= transcripts.LINE_BYTES_MAX


def test_a_projects_folder_name_learns_its_path(root: Path) -> None:
    store = ledger()
    path = write(root, answer(cwd="/work/deeper"))
    path.parent.rename(root / "-work-deeper")
    look(store, root)

    assert store.labels() == {"-work-deeper": "/work/deeper"}


def test_a_sub_agents_type_is_found_beside_its_file(root: Path) -> None:
    store = ledger()
    path = write(root, answer(isSidechain=True), name="agent-1.jsonl")
    meta = json.dumps({"agentType": "Explore"})
    path.with_suffix(".meta.json").write_text(meta, "utf-8")
    look(store, root)
    [stored] = store.find_events(response=ID)

    assert stored.event.agent == "Explore"


def test_a_call_is_answered_from_another_file(root: Path) -> None:
    store = ledger()
    write(root, request(), request("ask-2"))
    write(root, answer(requestRef="ask-1"), name="2.jsonl")
    look(store, root)

    assert [call.reference for call in store.unrecorded(*ALWAYS)] == ["ask-2"]


def test_an_answer_without_a_name_is_one_across_two_reads(root: Path) -> None:
    """A relay's constant id: only the lines' order tells one answer from two."""
    nameless = {"id": "chatcmpl-constant"}
    first = answer(nameless, uuid="u-1", parentUuid="u-0", requestId=None)
    later = "2026-11-22T03:18:39.000Z"
    second = answer(
        nameless, uuid="u-2", parentUuid="u-1", requestId=None, timestamp=later
    )
    third = answer(
        nameless, uuid="u-9", parentUuid="u-8", requestId=None, timestamp=later
    )
    store = ledger()
    path = write(root, first)
    look(store, root)
    with path.open("ab") as file:
        file.write(text_of(second))
    look(store, root)

    assert store.coverage().responses == 1

    with path.open("ab") as file:
        file.write(text_of(third))
    look(store, root)

    assert store.coverage().responses == 2
