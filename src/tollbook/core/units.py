"""What is counted and billed. Names follow the provider's billing report."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

COUNT_MAX = 10**9
"""The largest count one response may state. More is bad data, not usage."""


class Unit(StrEnum):
    """One billable kind of thing. Kinds never overlap, so counts may be added.

    Beware: OpenTelemetry's ``gen_ai.usage.input_tokens`` includes cached tokens and the
    Messages API's ``input_tokens`` does not. We hold only the uncached part.
    """

    UNCACHED_INPUT = "uncached_input_tokens"
    CACHE_READ = "cache_read_input_tokens"
    CACHE_WRITE_5M = "cache_write_5m_tokens"
    CACHE_WRITE_1H = "cache_write_1h_tokens"
    OUTPUT = "output_tokens"
    WEB_SEARCH = "web_search_requests"
    WEB_FETCH = "web_fetch_requests"
    CODE_EXECUTION = "code_execution_requests"


TOKEN_UNITS = (
    Unit.UNCACHED_INPUT,
    Unit.CACHE_READ,
    Unit.CACHE_WRITE_5M,
    Unit.CACHE_WRITE_1H,
    Unit.OUTPUT,
)
PROMPT_UNITS = TOKEN_UNITS[:4]

Usage = Mapping[str, int]
"""Counts by unit, each >= 0. Unknown is absent, never 0. Keys are ``Unit`` values, or
the foreign name of a counter we do not know yet, which is kept and never priced."""
