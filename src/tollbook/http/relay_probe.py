"""What an upstream reports: asked with the same tiny request in several ways."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from tollbook.config import Config, Relay
from tollbook.config import Upstream as Settings
from tollbook.core.errors import ConfigError
from tollbook.formats.answer_meter import AnswerMeter
from tollbook.formats.messages_request import countable, counted
from tollbook.formats.metered import Ended, State
from tollbook.http.exchange import RefusedError
from tollbook.http.relay_passage import Bound, send_up
from tollbook.http.relay_upstreams import Switchboard, Upstream
from tollbook.http.relay_wire import Lost, Response, Wire

_TRIAL_SECONDS = 60
_ASKING = {"max_tokens": 16, "messages": [{"role": "user", "content": "Say hi."}]}
_LINES = [
    (b"content-type", b"application/json"),
    (b"anthropic-version", b"2023-06-01"),
    (b"user-agent", b"tollbook-probe"),
]
_FINE = 200
STREAM, WHOLE, BARE, COUNT = "stream", "whole", "stream, bare", "count_tokens"


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One way of asking, and what came of it."""

    way: str  # "stream", "whole", "stream, bare" (no configured lines), "count_tokens"
    status: int = 0  # 0: no answer
    state: str = ""
    seen_in: Sequence[str] = ()  # what told the usage
    lacked: Sequence[str] = ()  # what did not
    error: str | None = None

    @property
    def tells(self) -> bool:
        """Whether everything that is billed was told."""
        return self.status == _FINE and self.state == State.COMPLETE


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be known of an upstream."""

    upstream: str
    trials: Sequence[Trial]
    sound: bool
    verdict: str  # in words: what is wrong, and what to set


def probe(config: Config, name: str, model: str) -> Finding:
    """Ask an upstream, and judge its answers.

    Raises:
        ConfigError: There is none of that name, or it cannot be used.
    """
    upstreams = Switchboard(config).upstreams
    if name not in upstreams:
        known = ", ".join(upstreams)
        message = f"upstreams.{name}: there is none; there is {known}"
        raise ConfigError(message)
    trials = asyncio.run(_ask_all(upstreams[name], config.relay, model))
    return judge(name, trials)


def judge(name: str, trials: Sequence[Trial]) -> Finding:
    """Say in words what the trials mean."""
    by_way = {trial.way: trial for trial in trials}
    sound, verdict = _verdict(by_way, f"upstreams.{name}")
    return Finding(upstream=name, trials=trials, sound=sound, verdict=verdict)


def _verdict(by_way: dict[str, Trial], place: str) -> tuple[bool, str]:
    stream, whole, count = by_way[STREAM], by_way[WHOLE], by_way[COUNT]
    bare = by_way.get(BARE)
    if stream.tells:
        return True, "it tells what its streams use; nothing is to be set"
    if bare is not None and bare.tells:
        text = "the header lines of the settings keep it from telling what streams use"
        return False, f"{text}; take them out of {place}"
    if stream.status != _FINE:
        why = stream.error or f"status {stream.status}"
        return False, f"it answers no stream ({why}); check {place} and the model"
    text = f"its streams do not tell all ({', '.join(stream.lacked) or 'cut short'})"
    if whole.tells:
        return False, f'{text}, whole messages do; set {place}.on_missing = "nonstream"'
    if count.status == _FINE:
        advice = f'set {place}.on_missing = "count", and correct the output later'
        return False, f"{text}, nor do whole messages; {advice}"
    return False, f"{text}, and nothing else does; its console must tell"


async def _ask_all(upstream: Upstream, settings: Relay, model: str) -> list[Trial]:
    wire = Wire(settings)
    try:
        trials = [
            await _ask(STREAM, upstream, wire, settings, _body(model, stream=True)),
            await _ask(WHOLE, upstream, wire, settings, _body(model, stream=False)),
        ]
        if _is_dressed(upstream.settings):
            bare = upstream.undressed()
            body = _body(model, stream=True)
            trials.append(await _ask(BARE, bare, wire, settings, body))
        counting = countable(_body(model, stream=False)) or b""
        trials.append(await _ask(COUNT, upstream, wire, settings, counting))
    finally:
        await wire.close()
    return trials


def _body(model: str, *, stream: bool) -> bytes:
    return msgspec.json.encode({"model": model, "stream": stream, **_ASKING})


def _is_dressed(settings: Settings) -> bool:
    return bool(settings.set_headers or settings.drop_headers or settings.betas)


async def _ask(
    way: str, upstream: Upstream, wire: Wire, settings: Relay, body: bytes
) -> Trial:
    target = "/v1/messages/count_tokens" if way == COUNT else "/v1/messages"
    bound = Bound(
        method="POST", target=target, lines=_LINES, body=body, upstream=upstream
    )
    try:
        async with asyncio.timeout(_TRIAL_SECONDS):
            sent = await send_up(bound, wire, settings)
            try:
                return await _hear(way, sent.response)
            finally:
                sent.response.close()
    except RefusedError as error:
        return Trial(way=way, error=error.code)
    except Lost as error:
        return Trial(way=way, error=type(error).__name__)


async def _hear(way: str, response: Response) -> Trial:
    if way == COUNT:
        tokens = counted(await response.read())
        status = response.status if tokens is not None else 0
        return Trial(way=way, status=status, seen_in=("body",) if status else ())
    meter = AnswerMeter(status=response.status, content_encoding=None, asked=None)
    ended = Ended.WHOLE
    try:
        while chunk := await response.content.readany():
            meter.feed(chunk)
    except Lost:
        ended = Ended.CUT
    metered = meter.outcome(ended)
    return Trial(
        way=way,
        status=response.status,
        state=metered.state,
        seen_in=metered.seen_in,
        lacked=metered.lacked,
        error=metered.error_type,
    )
