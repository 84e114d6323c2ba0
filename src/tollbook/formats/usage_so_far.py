"""Usage as the events of one answer state it, one after another.

Counts are cumulative: a later one takes the earlier one's place, and what it leaves out
or calls null stays (the provider's own accumulator, ``anthropic`` 2.12.0, does the same).
"""

from __future__ import annotations

from typing import Any

from tollbook.core.observation import Conditions, Evidence, Lesser, Part
from tollbook.core.units import COUNT_MAX, Unit
from tollbook.formats.messages_shapes import NAME_MAX
from tollbook.formats.metered import Flag
from tollbook.formats.transcript_lines import Iteration, Usage
from tollbook.formats.transcript_usage import parts_of

_PROMPT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
_CONDITIONS = ("service_tier", "speed", "inference_geo")
_OWN_STEPS = ("message", "fallback_message")  # what the sums may hold
_COUNTERS_MAX = 16
_ITERATIONS_MAX = 200
_OUTPUT = Unit.OUTPUT.value
_PARTIAL = int(Evidence.PARTIAL)


class UsageSoFar:
    """What is known of an answer's usage."""

    __slots__ = ("_is_summed", "_unreadable", "flags", "known", "output_is_final")

    def __init__(self) -> None:
        self.known = Usage()
        self.output_is_final = False  # unless content follows
        self.flags: set[Flag] = set()
        self._is_summed = False  # the output is more than a placeholder
        self._unreadable = False

    def refuse(self, path: str) -> None:
        """Take note of a field that could not be read."""
        self.flags.add(Flag.BAD_COUNT if "usage." in path else Flag.BAD_FIELD)
        self._unreadable |= path.endswith(".iterations")

    def state(self, said: Usage, *, closing: bool, wrote: bool) -> bool:
        """Take in a usage object; False when it says nothing that can be believed.

        Args:
            said: The object as it came.
            closing: Its output is the last word, and no placeholder.
            wrote: Something has been written: no output cannot be true any more.
        """
        self._take_conditions(said)
        prompt = [getattr(said, name) for name in _PROMPT]
        split = said.cache_creation
        if split is not None:
            prompt += (split.ephemeral_5m_input_tokens, split.ephemeral_1h_input_tokens)
        stated = [count for count in (*prompt, said.output_tokens) if count is not None]
        if not any(stated) and not said.iterations:
            if stated and not wrote and closing and self._knows_prompt():
                self._take_output(0, closing=True, wrote=False)
                return True
            if stated:
                self.flags.add(Flag.ZEROS)
            return False
        if any(prompt):
            self._take_prompt(said)
        elif said.input_tokens is not None and not said.iterations:
            self.flags.add(Flag.ZEROS)
        if said.output_tokens is not None:
            self._take_output(said.output_tokens, closing=closing, wrote=wrote)
        if said.server_tool_use:
            self._take_tools(said.server_tool_use)
        if said.iterations:
            self._take_iterations(said.iterations)
        return True

    def parts(self, model: str) -> tuple[Part, ...]:
        """The counts by model; what nobody stated is absent. Ends the taking in."""
        known = self.known
        split = known.cache_creation
        if split is not None and known.cache_creation_input_tokens is not None:
            hour, minutes = (
                split.ephemeral_1h_input_tokens or 0,
                split.ephemeral_5m_input_tokens or 0,
            )
            if hour + minutes > known.cache_creation_input_tokens:
                self.flags.add(Flag.SPLIT_EXCEEDS)
        own = sum(
            step.output_tokens or 0
            for step in known.iterations or ()
            if step.type in _OWN_STEPS
        )
        if known.iterations and own < (known.output_tokens or 0):
            self.flags.add(Flag.ITERATIONS_BEHIND)
            known.iterations = None
        parts = parts_of(model, known)
        unknown = set() if known.iterations else self._unknown_units()
        if not unknown:
            return parts
        [part] = parts
        counts = {
            unit: count
            for unit, count in part.usage.items()
            if count or unit not in unknown
        }
        return (Part(part.model, counts),)

    @property
    def is_whole(self) -> bool:
        """Whether every count is stated and can stand, if the output can."""
        known = self.known
        prompt = known.input_tokens is not None or bool(known.iterations)
        behind = Flag.ITERATIONS_BEHIND in self.flags
        return prompt and self.output_is_final and not (self._unreadable or behind)

    def evidence(
        self, parts: tuple[Part, ...], *, final: bool, plain: bool
    ) -> tuple[int, Lesser | None]:
        """How good the counts are, and which are worse.

        Args:
            parts: The counts.
            final: The output is the last word.
            plain: What was read and cached cannot grow while an answer is written:
                no tool ran at the provider, nothing was compacted.
        """
        units = {unit for part in parts for unit in part.usage}
        if not units:
            return int(Evidence.MISSING), None
        behind = self._unreadable or Flag.ITERATIONS_BEHIND in self.flags
        if behind or (not final and (len(parts) > 1 or not plain)):
            return _PARTIAL, None
        if final or _OUTPUT not in units:
            return int(Evidence.REPORTED), None
        if units == {_OUTPUT}:
            return _PARTIAL, None
        return int(Evidence.REPORTED), {_OUTPUT: _PARTIAL}

    def conditions(self) -> Conditions:
        """What besides the model decides the price."""
        known = self.known
        return Conditions(known.service_tier, known.speed, known.inference_geo)

    def _knows_prompt(self) -> bool:
        return any(getattr(self.known, name) for name in _PROMPT)

    def _take_conditions(self, said: Usage) -> None:
        for name in _CONDITIONS:
            value = getattr(said, name)
            if value and len(value) <= NAME_MAX:
                setattr(self.known, name, value)
            elif value:
                self.flags.add(Flag.BAD_FIELD)

    def _take_prompt(self, said: Usage) -> None:
        for name in (*_PROMPT, "cache_creation"):
            value = getattr(said, name)
            if value is not None:
                setattr(self.known, name, value)

    def _take_output(self, count: int, *, closing: bool, wrote: bool) -> None:
        """Take the place of what is known; a sum, other than a placeholder, only grows."""
        if not count and wrote:
            self.flags.add(Flag.ZEROS)
            return
        if not self._is_summed or count >= (self.known.output_tokens or 0):
            self.known.output_tokens = count
        elif closing:
            self.flags.add(Flag.FELL)
        self._is_summed |= closing
        self.output_is_final |= closing

    def _take_tools(self, tools: dict[str, Any]) -> None:
        """Counters of tools that ran at the provider; unknown ones keep their name."""
        counters = self.known.server_tool_use = self.known.server_tool_use or {}
        for name, count in tools.items():
            fits = type(count) is int and 0 <= count <= COUNT_MAX
            room = name in counters or len(counters) < _COUNTERS_MAX
            if fits and room and name.isidentifier() and len(name) <= NAME_MAX:
                counters[name] = count
            elif count is not None:
                self.flags.add(Flag.BAD_COUNT)

    def _take_iterations(self, steps: list[Iteration]) -> None:
        names = [name for step in steps for name in (step.type, step.model or "")]
        if len(steps) <= _ITERATIONS_MAX and len(max(names, key=len)) <= NAME_MAX:
            self.known.iterations = steps
            self._unreadable = False
        else:
            self.refuse("usage.iterations")

    def _unknown_units(self) -> set[str]:
        """Units nobody stated. Beside a stated input, no word of a cache means none."""
        known = self.known
        unknown: set[str] = set()
        if known.output_tokens is None:
            unknown.add(_OUTPUT)
        if known.input_tokens is None:
            unknown.add(Unit.UNCACHED_INPUT.value)
            if known.cache_read_input_tokens is None:
                unknown.add(Unit.CACHE_READ.value)
            if known.cache_creation_input_tokens is None and not known.cache_creation:
                unknown |= {Unit.CACHE_WRITE_5M.value, Unit.CACHE_WRITE_1H.value}
        return unknown
