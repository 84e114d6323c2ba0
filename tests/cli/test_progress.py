"""tollbook.cli.progress: a bar on a terminal."""

from __future__ import annotations

import pytest

from tollbook.cli.progress import Bar


def test_a_bar_moves_and_leaves_nothing_on_stdout(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bar = Bar()
    bar(1, 2)
    bar(2, 2)
    bar.close()

    assert capsys.readouterr().out == ""
