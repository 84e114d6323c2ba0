"""``tollbook.ledger.keyring``: who gets in, and what those who do not can learn."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from program import Program
from tollbook.core.control import Credential
from tollbook.core.errors import KeyRefusedError, StoreUnavailableError
from tollbook.ledger import keyring
from tollbook.ledger.keyring import LOOK_MS, USE_MS, Guesses, Keyring
from tollbook.ledger.keys import Grant, create_key, ensure_admin_key, revoke_key
from tollbook.stores.memory_control import MemoryControl
from tollbook.stores.sqlite.control import SqliteControl

NOW = 1_795_000_000_000
GRANT = Grant(name="ci", scopes=frozenset({"ingest"}))


class Counting(MemoryControl):
    """A store that counts what is asked of it, and may be away."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.writes: list[Mapping[str, int]] = []
        self.away = False

    def version(self) -> int:
        """As before, counted."""
        self.reads += 1
        if self.away:
            message = "away; try again"
            raise StoreUnavailableError(message)
        return super().version()

    def credentials(self) -> list[Credential]:
        """As before, counted."""
        self.reads += 1
        return super().credentials()

    def note_uses(self, uses: Mapping[str, int]) -> None:
        """As before, kept."""
        if self.away:
            message = "away; try again"
            raise StoreUnavailableError(message)
        self.writes.append(uses)
        super().note_uses(uses)


@pytest.fixture
def control() -> Counting:
    """An empty store."""
    return Counting()


def why(ring: Keyring, text: str, *, now: int = NOW) -> tuple[str, str]:
    """What the log may know of a refusal, and what the caller is told."""
    with pytest.raises(KeyRefusedError) as caught:
        ring.authenticate(text, now=now)
    return caught.value.why, str(caught.value)


def test_a_right_key_is_known(control: Counting) -> None:
    key, text = create_key(control, GRANT, now=NOW)

    assert Keyring(control).authenticate(text, now=NOW) == key


def test_every_refusal_sounds_the_same_and_the_log_knows_better(
    control: Counting,
) -> None:
    end = NOW + 100
    short = Grant(name="x", scopes=frozenset({"read"}), expires_at=end)
    revoked, gone = create_key(control, GRANT, now=NOW)
    expired, late = create_key(control, short, now=NOW)
    key, right = create_key(control, GRANT, now=NOW)
    revoke_key(control, revoked.id, now=NOW)
    ring = Keyring(control)
    said = [
        why(ring, text, now=end)
        for text in (
            "",
            "Bearer",
            f"tb_{'a' * 10}_{'a' * 32}",
            right[:-1] + ("a" if right[-1] != "a" else "b"),
            gone,
            late,
        )
    ]

    assert [reason for reason, _ in said] == [
        *["no such key"] * 3,
        f"key {key.id}: wrong secret",
        f"key {revoked.id}: revoked",
        f"key {expired.id}: expired",
    ]
    assert len({message for _, message in said}) == 1
    assert ring.authenticate(late, now=end - 1 - LOOK_MS) == expired


@given(st.text())
def test_whatever_is_presented_only_a_key_opens(text: str) -> None:
    control = MemoryControl()
    create_key(control, GRANT, now=NOW)

    assert why(Keyring(control), text)[0] == "no such key"


def test_keys_are_compared_in_constant_time(
    control: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return one == other

    monkeypatch.setattr(keyring, "compare_digest", compare)
    _, text = create_key(control, GRANT, now=NOW)
    ring = Keyring(control)
    ring.authenticate(text, now=NOW)
    why(ring, "nonsense")
    why(ring, text[:-4] + "aaaa")

    assert compared == [(32, 32)] * 3


def test_many_requests_and_guesses_cost_no_read(control: Counting) -> None:
    _, text = create_key(control, GRANT, now=NOW)
    ring = Keyring(control)
    ring.authenticate(text, now=NOW)
    before = control.reads
    for number in range(100):
        ring.authenticate(text, now=NOW + number)
        why(ring, f"tb_{'a' * 10}_{number}", now=NOW + number)

    assert control.reads == before
    assert control.writes == []


@pytest.mark.parametrize("step", [LOOK_MS, -LOOK_MS, -10 * 60_000])
def test_a_revocation_is_seen_soon_even_when_the_clock_goes_back(
    control: Counting, step: int
) -> None:
    key, text = create_key(control, GRANT, now=NOW)
    ring = Keyring(control)
    ring.authenticate(text, now=NOW)
    revoke_key(control, key.id, now=NOW)

    assert why(ring, text, now=NOW + step)[0] == f"key {key.id}: revoked"


def test_nobody_gets_in_while_a_revocation_could_not_be_seen(control: Counting) -> None:
    _, text = create_key(control, GRANT, now=NOW)
    ring = Keyring(control)
    ring.authenticate(text, now=NOW)
    control.away = True

    with pytest.raises(StoreUnavailableError):
        ring.authenticate(text, now=NOW + LOOK_MS)
    control.away = False
    assert ring.authenticate(text, now=NOW + LOOK_MS)


def test_a_key_that_another_process_makes_or_revokes_is_seen(program: Program) -> None:
    folder = program.home / "ledger"
    control = SqliteControl(folder / "ledger.db")
    ring = Keyring(control)
    assert not ring.guards(now=NOW)

    text = program.text("key", "create", "ci").strip()
    key = ring.authenticate(text, now=NOW + LOOK_MS)
    assert ring.guards(now=NOW + LOOK_MS)
    assert ring.opens(now=NOW + LOOK_MS)
    program.text("key", "revoke", "ci")

    assert why(ring, text, now=NOW + 2 * LOOK_MS)[0] == f"key {key.id}: revoked"
    assert not ring.opens(now=NOW + 2 * LOOK_MS)
    assert ring.guards(now=NOW + 2 * LOOK_MS), "the last key leaves no door open"
    control.close()


def test_the_secret_is_nowhere_in_the_ledgers_files(tmp_path: Path) -> None:
    control = SqliteControl(tmp_path / "ledger.db")
    first = ensure_admin_key(control, now=NOW)
    assert first is not None
    ring = Keyring(control)
    ring.authenticate(first[1], now=NOW)
    ring.note_uses()
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    secret = first[1].rpartition("_")[2].encode()

    assert {"ledger.db", "ledger.db-wal"} <= set(files)
    assert any(first[0].id.encode() in text for text in files.values())
    assert not any(secret in text for text in files.values())
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())
    control.close()


def last_used(control: Counting) -> int | None:
    [known] = control.credentials()
    return known.key.last_used_at


def test_a_use_is_written_when_asked_and_at_most_once_a_minute(
    control: Counting,
) -> None:
    _, text = create_key(control, GRANT, now=NOW)
    ring = Keyring(control)
    ring.note_uses()
    for at in range(NOW, NOW + 3 * USE_MS, USE_MS // 4):
        ring.authenticate(text, now=at)
        ring.note_uses()

    assert [list(uses.values()) for uses in control.writes] == [
        [NOW],
        [NOW + USE_MS],
        [NOW + 2 * USE_MS],
    ]
    ring.note_uses(last=True)
    ring.note_uses(last=True)
    assert last_used(control) == NOW + 3 * USE_MS - USE_MS // 4
    assert len(control.writes) == 4


def test_a_use_that_could_not_be_written_is_written_later(control: Counting) -> None:
    _, text = create_key(control, GRANT, now=NOW)
    ring = Keyring(control)
    ring.authenticate(text, now=NOW)
    control.away = True
    with pytest.raises(StoreUnavailableError):
        ring.note_uses()
    control.away = False
    ring.note_uses()

    assert last_used(control) == NOW


def test_who_guesses_too_often_is_told_how_long_to_wait() -> None:
    guesses = Guesses()
    waits = [guesses.wait_ms("198.51.100.7", now=NOW) for _ in range(25)]

    assert waits == [0] * 20 + [3_000] * 5
    assert guesses.wait_ms("198.51.100.8", now=NOW) == 0
    assert guesses.wait_ms("198.51.100.7", now=NOW + 3_000) == 0
    assert guesses.wait_ms("198.51.100.7", now=NOW + 3_000) == 3_000


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::2:3", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:198.51.100.7", "198.51.100.7", True),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("testclient", "testclient", True),
        ("testclient", "other", False),
    ],
)
def test_an_address_is_known_by_what_its_owner_cannot_choose(
    one: str, other: str, *, same: bool
) -> None:
    guesses = Guesses()
    for _ in range(20):
        guesses.wait_ms(one, now=NOW)

    assert (guesses.wait_ms(other, now=NOW) > 0) == same


def test_a_flood_of_addresses_takes_bounded_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keyring, "_ADDRESSES_MAX", 100)
    guesses = Guesses()
    for number in range(1_000):
        guesses.wait_ms(f"host-{number}", now=NOW)

    assert len(guesses._free_at) == 100  # noqa: SLF001  # memory is what it is about
