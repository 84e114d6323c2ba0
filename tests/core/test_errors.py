"""``tollbook.core.errors``: what a caller may catch, and what a shell is told."""

from __future__ import annotations

import inspect

import pytest

from tollbook.core import errors
from tollbook.core.errors import InexactAmountError, TollbookError

CLASSES = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and value.__module__ == errors.__name__
]


def test_every_error_has_one_root() -> None:
    assert len(CLASSES) > 1
    assert all(issubclass(kind, TollbookError) for kind in CLASSES)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_says_when_and_has_its_place_in_the_list(
    kind: type[TollbookError],
) -> None:
    assert kind.__doc__
    assert f" {kind.__name__} " in str(errors.__doc__)
    assert 0 < kind.exit_code < 126


def test_an_inexact_amount_says_what_and_how_to_mend_it() -> None:
    text = str(InexactAmountError("1e-13"))

    assert "'1e-13'" in text
    assert "; " in text
