"""``tollbook.core.control``: what a key may do, and what a name may be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbook.core.control import (
    ADMIN,
    SCOPES,
    TEXT_MAX,
    Key,
    allowed,
    permits,
    unfit,
)


def key(*scopes: str, projects: tuple[str, ...] | None = None) -> Key:
    """A key with some scopes."""
    return Key(
        id="a", name="a", scopes=frozenset(scopes), projects=projects, created_at=0
    )


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("held", SCOPES)
def test_a_key_may_do_what_it_holds_and_admin_everything(held: str, scope: str) -> None:
    assert permits(key(held), scope) == (held in (scope, ADMIN))


def test_a_key_without_scopes_may_do_nothing() -> None:
    assert not any(permits(key(), scope) for scope in SCOPES)


def test_a_key_speaks_of_its_own_projects_alone() -> None:
    limited = key(ADMIN, projects=("shop",))

    assert allowed(limited, "shop")
    assert not allowed(limited, "desk")
    assert not allowed(key(ADMIN, projects=()), "shop")
    assert allowed(key("ingest"), "anything")


@pytest.mark.parametrize(
    "text",
    ["shop", "a", "x" * TEXT_MAX, "naïve ☂", "客户-1", "a b", "मुंबई", "a/b:c", "👩"],
)
def test_what_people_can_read_is_fit(text: str) -> None:
    assert unfit(text) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("x" * (TEXT_MAX + 1), "has 129 characters, 128 are the most"),
        (" shop", "begins or ends with a blank"),
        ("shop ", "begins or ends with a blank"),
        *(
            (f"a{char}b", "holds an invisible or control character")
            for char in "\x00\n\x1b\x7f\x85\u00a0\u00ad\u034f\u061c\u200b\u200d\u200e"
            "\u202e\u2028\u2060\u2066\u2800\u3164\ufe0f\ufeff\uffff\ud800\U000e0100"
            "\U000e0041"
        ),
    ],
)
def test_what_deceives_or_hides_is_not(text: str, why: str) -> None:
    assert unfit(text) == why


@given(st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp"]), min_size=1))
def test_no_character_that_steers_gets_through(text: str) -> None:
    assert unfit(f"a{text}b") is not None


@given(st.text(max_size=TEXT_MAX))
def test_what_is_fit_can_be_stored_and_shown(text: str) -> None:
    if unfit(text) is None:
        assert text.encode("utf-8").decode("utf-8") == text
        assert text.isprintable()
