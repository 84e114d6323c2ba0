"""Read a model id as clouds, routers and clients write it.

One model has many spellings, and a few of them also say where or how it ran::

    claude-opus-5-5                                       the Claude API
    us.anthropic.claude-opus-5-5                          Bedrock, a regional profile
    anthropic.claude-haiku-4-5-20251001-v1:0              Bedrock, with its version
    arn:aws:bedrock:us-east-1:1:inference-profile/global.anthropic.claude-opus-5
    claude-haiku-4-5@20251001                             Google Cloud
    claude-opus-5-5-fast                                  Foundry, the fast deployment
    claude-sonnet-5[1m]                                   Claude Code, long context

Only spelling is undone here; whether such a model exists is the catalogue's to say, by
exact comparison: ``claude-opus-5`` begins ``claude-opus-5-5`` and costs more.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

GLOBAL = "global"
REGIONAL = "regional"
US_GOV = "us-gov"

_ROUTER = re.compile(r"(anthropic|bedrock|vertex_ai|azure_ai)/")
_PLATFORMS = {"bedrock": "bedrock", "vertex_ai": "vertex", "azure_ai": "foundry"}
# An application-inference-profile names no model; it is left as it is, and so unknown.
_ARN = re.compile(
    r"arn:(aws[^:]*):bedrock:([^:/]*):[^:/]*:(?:inference-profile|foundation-model)/"
)
_BEDROCK = re.compile(r"(?:(global|us|eu|apac|jp|au|us-gov)\.)?anthropic\.")
_LONG_CONTEXT = "[1m]"
_SNAPSHOT = re.compile(r"(.+)@(?:default|(\d{8}))", re.ASCII)
# ``claude-v2:1`` is a name of its own: only behind another number is it a version.
_VERSION = re.compile(r"(.*\d.*)-v\d+(?::\d+)?", re.ASCII)
_FAST = "-fast"
_DATED = re.compile(r"(claude-.+)-\d{8}", re.ASCII)
_LENGTH_MAX = 512  # longer than any id; what follows would only feed the expressions


class ModelId(msgspec.Struct, frozen=True):
    """What an id says: the model's name, and where and how it ran."""

    name: str
    endpoint: str = ""  # "global", "regional", "us-gov"; empty: the id does not say
    fast: bool = False
    platform: str = ""  # "bedrock", "vertex", "foundry"; empty: the id does not say


@lru_cache(maxsize=4096)
def parse_model_id(raw: str) -> ModelId:
    """Undo the spellings of clouds, routers and clients.

    Never fails: what it does not recognise stays the name.
    """
    if len(raw) > _LENGTH_MAX:
        return ModelId(raw)
    name, platform = _strip_routers(raw)
    endpoint = ""
    if arn := _ARN.match(name):
        name, platform = name[arn.end() :], "bedrock"
        if US_GOV in arn[1] or arn[2].startswith(US_GOV):
            endpoint = US_GOV
    if profile := _BEDROCK.match(name):
        name, platform = name[profile.end() :], "bedrock"
        endpoint = _endpoint(profile[1]) or endpoint
    name = name.removesuffix(_LONG_CONTEXT)
    if snapshot := _SNAPSHOT.fullmatch(name):
        platform = platform or "vertex"
        name = f"{snapshot[1]}-{snapshot[2]}" if snapshot[2] else snapshot[1]
    if version := _VERSION.fullmatch(name):
        name = version[1]
    fast = name.endswith(_FAST)
    return ModelId(name.removesuffix(_FAST), endpoint, fast, platform)


def _strip_routers(name: str) -> tuple[str, str]:
    platform = ""
    while router := _ROUTER.match(name):
        platform = _PLATFORMS.get(router[1], platform)
        name = name[router.end() :]
    return name, platform


def _endpoint(prefix: str | None) -> str:
    if prefix is None or prefix in (GLOBAL, US_GOV):
        return prefix or ""
    return REGIONAL


def dateless(name: str) -> str | None:
    """The name without the day of its snapshot, or ``None`` when it carries none."""
    dated = _DATED.fullmatch(name[: _LENGTH_MAX + 1])
    return dated[1] if dated else None


def looks_like_claude(raw: str) -> bool:
    """Whether only the Claude catalogue may answer for an id.

    A Claude model we do not know must stay unpriced, whatever its neighbours cost; so
    must a Bedrock resource that does not name its model.
    """
    return "claude" in raw.lower() or raw.startswith(("arn:", "anthropic"))
