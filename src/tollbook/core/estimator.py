"""How many tokens a text of known length has: fitted, with its error, never exact.

There is no public tokenizer for Claude 3 or later. What is known of a response that told
no usage is how many characters it wrote, by class. Rates of tokens per character begin
as published ones and are fitted, for each model, to responses of which both the lengths
and the provider's count are known. Everything is whole numbers, and the same pairs give
the same fit.

The published rates: characters per token of ``o200k_base`` (4.68 for English markdown,
3.32 for JSON, counted on 2026-11-22), times 1.18 for Claude up to 4.6 and 1.53 for its
later tokenizer (https://github.com/sammcj/ingest/issues/65, calibrated against
``count_tokens``, read on 2026-11-22). They are 10 to 20 % off for a usual text. What a
response thought is billed in full and shown as a summary, so its length says little
before a fit: no error can be told then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

RULES = 1
"""The version of these rules; part of each estimate's."""

CLASSES = ("text", "thinking", "tool")
"""What a response writes: prose and code, thinking, the JSON that tools are called with."""

Chars = tuple[int, int, int]
"""Characters by class, in the order of ``CLASSES``."""

PPM = 1_000_000
PERMILLE = 1_000
PAIRS_MIN = 20  # with fewer the published rates stand
PAIRS_MAX = 2_000  # the latest of a model

_O200K: Chars = (213_675, 213_675, 301_205)  # millionths of a token per character
_V1, _V2 = 118, 153  # per cent of it
_START_WEIGHT = 4_000  # characters of each class that speak for the published rates
_ROUNDS = 40
_FOLDS = 5
_PUBLISHED_ERROR = 200
_P95 = 950

_CLAUDE = re.compile(
    r"claude-(opus|sonnet|haiku|mythos|fable)-(\d{1,2})(?:-(\d{1,2}))?(?!\d)", re.ASCII
)
_FIRST_V2 = {
    "opus": (4, 7),
    "sonnet": (5, 0),
    "haiku": (5, 5),
    "mythos": (0, 0),
    "fable": (0, 0),
}
"""The first model of each family with the later tokenizer."""


class Pair(msgspec.Struct, frozen=True, gc=False):
    """A response of which the lengths and the provider's count are known."""

    chars: Chars
    tokens: int


class Errors(msgspec.Struct, frozen=True, kw_only=True):
    """How far estimates were off, in thousandths of the true count.

    Each pair is estimated by a fit to others: a fifth of them at a time is left out.
    """

    mean: int
    p95: int
    bias: int  # of all together; above 0: estimates are too high


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """Rates for one model, in millionths of a token per character."""

    rates: Chars
    method: str  # "fitted" or "published"
    version: str
    pairs: int
    errors: Errors | None = None  # ``None``: too few pairs to tell


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A count that nobody stated, and how it was come by.

    The true count lay between ``low`` and ``high`` for 95 of 100 known responses, or as
    far as is published; ``None``: nobody can say.
    """

    count: int
    low: int | None
    high: int | None
    method: str
    version: str


def published(model: str) -> Chars:
    """The rates to begin with."""
    percent = _percent(model)
    text, thinking, tool = (rate * percent // 100 for rate in _O200K)
    return text, thinking, tool


def _percent(model: str) -> int:
    if "claude" not in model:
        return 100
    named = _CLAUDE.search(model)
    if named is None:
        return _V1
    release = (int(named[2]), int(named[3] or 0))
    return _V2 if release >= _FIRST_V2[named[1]] else _V1


def fit(model: str, pairs: Sequence[Pair]) -> Fit:
    """Rates for a model, from its pairs in the order of time.

    Rates are those under which the counts are likeliest, each taken for a sum of
    independent shares (expectation and maximisation): they stay above 0 and no class
    needs responses of its own. The published rates count as a little text of each.
    """
    known = [pair for pair in pairs if pair.tokens > 0 and any(pair.chars)]
    known = known[-PAIRS_MAX:]
    start = published(model)
    if len(known) < PAIRS_MIN:
        version = f"{RULES}.0"
        return Fit(rates=start, method="published", version=version, pairs=len(known))
    rates = _fitted(start, known)
    return Fit(
        rates=rates,
        method="fitted",
        version=f"{RULES}.{len(known)}.{'-'.join(map(str, rates))}",
        pairs=len(known),
        errors=_errors(list(_held_out(start, known))),
    )


def tokens_of(rates: Chars, chars: Chars) -> int:
    """Tokens of a text, to the nearest."""
    micro = sum(rate * count for rate, count in zip(rates, chars, strict=True))
    return (micro + PPM // 2) // PPM


def estimate(fitted: Fit, chars: Chars, *, least: int = 0) -> Estimate:
    """What a response of known lengths wrote; never less than what is known of it."""
    count = max(least, tokens_of(fitted.rates, chars))
    error = _PUBLISHED_ERROR if fitted.errors is None else fitted.errors.p95
    told = fitted.errors is not None or not chars[CLASSES.index("thinking")]
    low = count * max(0, PERMILLE - error) // PERMILLE
    high = -(-count * (PERMILLE + error) // PERMILLE)
    return Estimate(
        count=count,
        low=max(least, low) if told else None,
        high=high if told else None,
        method=fitted.method,
        version=fitted.version,
    )


def _fitted(start: Chars, pairs: Sequence[Pair]) -> Chars:
    weights = [_START_WEIGHT + sum(pair.chars[n] for pair in pairs) for n in range(3)]
    rates = start
    for _ in range(_ROUNDS):
        before = rates
        shares = [_START_WEIGHT * rate for rate in start]
        for pair in pairs:
            one, two, three = pair.chars
            parts = (one * rates[0], two * rates[1], three * rates[2])
            whole = sum(parts)
            if whole:
                scale = pair.tokens * PPM
                for n in range(3):
                    shares[n] += parts[n] * scale // whole
        rates = (
            shares[0] // weights[0],
            shares[1] // weights[1],
            shares[2] // weights[2],
        )
        if rates == before:
            break
    return rates


def _held_out(start: Chars, pairs: Sequence[Pair]) -> Iterator[tuple[int, int]]:
    """The estimate and the true count of each pair, by a fit that has not seen it."""
    size = -(-len(pairs) // _FOLDS)
    for first in range(0, len(pairs), size):
        rest = [*pairs[:first], *pairs[first + size :]]
        rates = _fitted(start, rest)
        for pair in pairs[first : first + size]:
            yield tokens_of(rates, pair.chars), pair.tokens


def _errors(found: Sequence[tuple[int, int]]) -> Errors:
    off = sorted(PERMILLE * abs(guess - true) // true for guess, true in found)
    guessed, true = (sum(column) for column in zip(*found, strict=True))
    return Errors(
        mean=sum(off) // len(off),
        p95=off[-(-_P95 * len(off) // PERMILLE) - 1],
        bias=PERMILLE * (guessed - true) // true,
    )
