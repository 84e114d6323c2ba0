"""``tollbook.core.model_id``: one model, many spellings, no neighbour taken for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbook.core.model_id import ModelId, dateless, looks_like_claude, parse_model_id

HAIKU = "claude-haiku-4-5-20251001"
GOV_ARN = "arn:aws-us-gov:bedrock:us-gov-west-1::"
BEDROCK_ARN = "arn:aws:bedrock:us-east-1:123456789012:"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("claude-opus-5-5", ModelId("claude-opus-5-5")),
        ("anthropic/claude-opus-5-5", ModelId("claude-opus-5-5")),
        ("vertex_ai/claude-opus-5", ModelId("claude-opus-5", platform="vertex")),
        ("azure_ai/claude-opus-5", ModelId("claude-opus-5", platform="foundry")),
        ("claude-sonnet-5[1m]", ModelId("claude-sonnet-5")),
        ("claude-opus-5-5-fast", ModelId("claude-opus-5-5", fast=True)),
        ("claude-opus-5-5-fast[1m]", ModelId("claude-opus-5-5", fast=True)),
        ("claude-sonnet-5@default", ModelId("claude-sonnet-5", platform="vertex")),
        ("claude-haiku-4-5@20251001", ModelId(HAIKU, platform="vertex")),
        ("anthropic.claude-opus-5", ModelId("claude-opus-5", "", platform="bedrock")),
        (
            "anthropic.claude-opus-4-6-v1",
            ModelId("claude-opus-4-6", platform="bedrock"),
        ),
        (
            "anthropic.claude-haiku-4-5-20251001-v1:0",
            ModelId(HAIKU, platform="bedrock"),
        ),
        (
            "bedrock/us.anthropic.claude-opus-5",
            ModelId("claude-opus-5", "regional", platform="bedrock"),
        ),
        (
            "global.anthropic.claude-opus-5",
            ModelId("claude-opus-5", "global", platform="bedrock"),
        ),
        (
            "us-gov.anthropic.claude-opus-5",
            ModelId("claude-opus-5", "us-gov", platform="bedrock"),
        ),
        (
            f"{BEDROCK_ARN}inference-profile/eu.anthropic.claude-opus-5",
            ModelId("claude-opus-5", "regional", platform="bedrock"),
        ),
        (
            "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-opus-5",
            ModelId("claude-opus-5", platform="bedrock"),
        ),
        (
            "arn:aws:bedrock:us-gov-east-1::foundation-model/anthropic.claude-opus-5",
            ModelId("claude-opus-5", "us-gov", platform="bedrock"),
        ),
        (
            f"{GOV_ARN}foundation-model/anthropic.claude-opus-5",
            ModelId("claude-opus-5", "us-gov", platform="bedrock"),
        ),
    ],
)
def test_every_spelling_of_a_model_is_the_model(raw: str, expected: ModelId) -> None:
    assert parse_model_id(raw) == expected


@pytest.mark.parametrize("prefix", ["us", "eu", "apac", "jp", "au"])
def test_a_geographic_profile_is_a_regional_endpoint(prefix: str) -> None:
    parsed = parse_model_id(f"{prefix}.anthropic.claude-opus-5-5")

    assert parsed.endpoint == "regional"


@pytest.mark.parametrize("name", ["claude-v2:1", "claude-v2", "claude-instant-v1"])
def test_a_version_that_is_the_name_is_kept(name: str) -> None:
    assert parse_model_id(f"anthropic.{name}").name == name


@pytest.mark.parametrize(
    "raw",
    [
        f"{BEDROCK_ARN}application-inference-profile/abc123",
        "gpt-5",
        "xx.anthropic.claude-opus-5",
        "claude-opus-5@latest",
        "",
        "anthropic.claude-" + "1" * 600,
    ],
)
def test_what_is_not_recognised_stays_as_it_is(raw: str) -> None:
    assert parse_model_id(raw) == ModelId(raw)


@given(st.text(max_size=700))
def test_no_text_can_stop_it(raw: str) -> None:
    parsed = parse_model_id(raw)

    assert parsed == parse_model_id(raw)
    assert len(parsed.name) <= len(raw) + 1


def test_a_snapshot_without_its_day_is_the_dateless_name() -> None:
    assert dateless("claude-opus-5-5-20260922") == "claude-opus-5-5"
    assert dateless("claude-opus-5-5") is None
    assert dateless("claude-opus-5-5-2026092") is None


@pytest.mark.parametrize(
    "raw",
    [
        "claude-next-9",
        "openrouter/anthropic/Claude-Next",
        f"{BEDROCK_ARN}application-inference-profile/abc123",
        "anthropic.next",
    ],
)
def test_what_may_be_claude_is_left_to_the_claude_catalogue(raw: str) -> None:
    assert looks_like_claude(raw)
    assert not looks_like_claude("gpt-5")
