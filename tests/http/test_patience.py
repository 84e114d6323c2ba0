"""tollbook.http.patience: who waits, in which line, and who goes first."""

from __future__ import annotations

from tollbook.http.patience import Patience

KIB = 1 << 10


class Client:
    """A connection that notes how it ended."""

    def __init__(self) -> None:
        self.received = 0
        self.end = ""

    def hang_up(self) -> None:
        """See ``Waiting``."""
        self.end = "hung up"

    def give_up(self) -> None:
        """See ``Waiting``."""
        self.end = "told"


def patience(connections_max: int = 10) -> Patience:
    return Patience(
        head_seconds=10,
        body_seconds=10,
        idle_seconds=60,
        connections_max=connections_max,
    )


def ends(*clients: Client) -> list[str]:
    return [client.end for client in clients]


def test_a_head_has_its_time_from_its_first_byte() -> None:
    lines, client = patience(), Client()
    lines.admit(client, 0, 1)
    lines.served(client)
    lines.idle(client, 5)
    lines.head(client, 50)
    lines.head(client, 59)  # another byte gives no more time

    lines.look(59.9)
    assert client.end == ""
    lines.look(60)
    assert client.end == "told"


def test_a_silent_connection_is_closed_without_a_word() -> None:
    lines, client = patience(), Client()
    lines.idle(client, 0)

    lines.look(59)
    assert client.end == ""
    lines.look(60)
    assert client.end == "hung up"


def test_a_body_must_grow() -> None:
    lines, fast, slow = patience(), Client(), Client()
    lines.body(fast, 0)
    lines.body(slow, 1)
    for second in range(10, 60, 10):
        fast.received += 40 * KIB
        slow.received += 40 * KIB - (second == 50)
        lines.look(second)
        lines.look(second + 1)

    assert ends(fast, slow) == ["", "told"]


def test_who_does_not_read_is_sent_away_and_who_reads_is_not() -> None:
    lines, deaf, slow = patience(), Client(), Client()
    lines.reader(deaf, 0)
    lines.reader(slow, 0)
    lines.read(slow)
    lines.look(60)

    assert ends(deaf, slow) == ["hung up", ""]


def test_whoever_waits_longest_makes_room() -> None:
    lines = patience(connections_max=2)
    busy, slow, idle, new = Client(), Client(), Client(), Client()
    lines.admit(busy, 0, 1)
    lines.served(busy)
    lines.admit(slow, 1, 2)
    lines.idle(idle, 2)

    assert lines.admit(new, 3, 3)
    assert ends(busy, slow, idle, new) == ["", "hung up", "", ""]


def test_where_everybody_is_being_served_nobody_goes() -> None:
    lines, busy, new = patience(connections_max=1), Client(), Client()
    lines.admit(busy, 0, 1)
    lines.served(busy)

    assert not lines.admit(new, 1, 2)
    assert ends(busy, new) == ["", ""]


def test_who_has_left_is_not_waited_for() -> None:
    lines, client = patience(), Client()
    lines.admit(client, 0, 1)
    lines.leave(client)
    lines.look(1_000)

    assert client.end == ""
