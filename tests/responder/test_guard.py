"""The guard: what cannot be seen is stripped, what looks like a secret is masked, stably."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responder.guard import clean, clean_labels, line, mask_secrets, told


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain text, with ünïcode 日本語", "plain text, with ünïcode 日本語"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07shown", "shown"),
        ("\x9b2Jcleared", "cleared"),
        ("zero\u200bwidth\u2060\ufeff", "zerowidth"),
        ("right\u202eleft\u2066x\u2069", "rightleftx"),
        ("tags\U000e0041\U000e0042", "tags"),
        ("v\ufe0fs\U000e0101", "vs"),
        ("bell\x07null\x00del\x7f", "bellnulldel"),
        ("filler\u3164\u115f", "filler"),
        ("lone \ud800 surrogate", "lone surrogate"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("many\u00a0 \t  blanks", "many blanks"),
    ],
)
def test_what_cannot_be_seen_is_stripped(text: str, cleaned: str) -> None:
    """Control, ANSI, zero-width, bidirectional, tag and filler characters are gone."""
    assert clean(text, 100) == cleaned


@given(st.text(max_size=500), st.integers(0, 80))
def test_clean_is_short_visible_and_stable(text: str, limit: int) -> None:
    """Never over the limit, nothing unseen left, and cleaning twice changes nothing."""
    cleaned = clean(text, limit)
    assert len(cleaned) <= limit
    kinds = {unicodedata.category(each) for each in cleaned if each != "\n"}
    assert not kinds & {"Cc", "Cf", "Cs", "Co", "Cn"}
    assert clean(cleaned, limit) == cleaned
    assert "\n" not in line(text, limit)


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdEFGH1234567890abcd",
        "ghp_0123456789abcdefghijABCDEFGHIJ012345",
        "xoxb-123456789012-abcdefghijkl",
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
        "hf_abcdefghijklmnopqrstuvwxyz0123",
        "glpat-abcdefghij0123456789",
        "AIzaSyA1234567890abcdefghijklmnopqrstuv",
        "Zk3vQ9xT7mW2pL8sR4nB6yH1cD5fG0jK",
    ],
)
def test_secrets_are_masked_by_a_stable_placeholder(secret: str) -> None:
    """The secret is gone, its placeholder is the same each time, and nothing around it is lost."""
    masked = mask_secrets(f"the key {secret} was refused")
    assert secret not in masked
    assert masked.startswith("the key <")
    assert masked.endswith("> was refused")
    assert mask_secrets(f"again {secret}").split()[-1] == masked.split()[2]


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("password=hunter22 next", "hunter22"),
        ('{"api_key": "abcd1234"}', "abcd1234"),
        ("Authorization: Bearer abcdefghijkl", "abcdefghijkl"),
        ("Authorization: Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA"),
        ("postgres://user:pa55@host/db", "pa55"),
        ("-----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY-----", "MIIabc"),
        ("https://hooks.slack.com/services/T0/B0/xyz", "T0/B0/xyz"),
    ],
)
def test_secrets_are_known_by_what_stands_beside_them(text: str, gone: str) -> None:
    """Assignments, headers, addresses and key blocks give their secrets away."""
    assert gone not in mask_secrets(text)


@pytest.mark.parametrize(
    "text",
    [
        "vllm:time_to_first_token_seconds_bucket",
        "/v2/models/fraud/versions/3/infer?entity=customer-123",
        "max_tokens: 1200, tokens generated 71.2/s",
        "2023-11-15T12:00:00.123456Z",
        "550e8400-e29b-41d4-a716-446655440000",
        "deploy features 1.5.0 to production-eu-west-1",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    """Metric names, paths, times, ids and versions are no secrets."""
    assert mask_secrets(text) == text


@given(st.text(max_size=300))
def test_masking_twice_changes_nothing(text: str) -> None:
    """A placeholder is never masked again."""
    once = mask_secrets(text)
    assert mask_secrets(once) == once


def test_labels_are_bounded_in_number_and_length() -> None:
    """A thousand labels of a megabyte end as some of a kilobyte."""
    cleaned = clean_labels({f"l{n}\u200b": "x " * 500_000 for n in range(1000)})
    assert len(cleaned) <= 64
    assert all(len(name) <= 128 and len(value) <= 1024 for name, value in cleaned.items())
    assert "l0" in cleaned


def test_an_error_is_told_on_one_line_without_secrets() -> None:
    """Its kind and its text, cleaned, masked before it is cut, so that no half of a key is left."""
    key = "sk-" + "a1B2c3D4" * 5
    assert told(ValueError("a\x1b[0m\nb"), 99) == "ValueError: a b"
    for room in range(20, 60):
        said = told(RuntimeError(f"asked with {key}"), room)
        assert len(said) <= room
        assert key[:11] not in said
