"""Outside text made fit to show."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exporter.access import Auth, Basic
from exporter.excerpt import EXCERPT_CHARACTERS, clean, excerpt, secrets_of
from exporter.probes.http import Http
from toolkit.secrets import Secret

SECRET = "t0ken-value"


@given(text=st.text(max_size=3000))
def test_excerpt_is_short_and_visible(text: str) -> None:
    """Whatever comes, it is cut and has no control, bidirectional or zero-width character."""
    shown = excerpt(text, [SECRET])
    assert len(shown) <= EXCERPT_CHARACTERS
    assert not [c for c in shown if c in "\x00\x1b\x7f\u200b\u202e\u2066\ufeff\U000e0041"]


@given(before=st.integers(0, 600), hidden=st.sampled_from(["", "\u200b", "\x1b[0m", "\0"]))
def test_secret_is_masked_wherever_it_stands(before: int, hidden: str) -> None:
    """A secret is found at any place, cut or whole, and with unseen characters in it."""
    echoed = SECRET[:4] + hidden + SECRET[4:]
    shown = excerpt("a" * before + echoed + "b" * 600, [SECRET])
    assert "t0k" not in shown


def test_terminal_sequences_go_whole() -> None:
    """A colour or title sequence leaves nothing behind."""
    assert clean("\x1b[31mred\x1b[0m \x1b]0;title\x07end") == "red end"


def test_basic_credentials_are_known_in_both_forms() -> None:
    """The password, and the pair as the header carries it."""
    secret = Secret.from_environ("P", {"P": "pass-word"})
    found = secrets_of(Http(auth=Auth(basic=Basic(username="me", password=secret))))
    assert found == ("pass-word", "bWU6cGFzcy13b3Jk")


def test_headers_that_are_secrets_are_masked_whatever_their_name() -> None:
    """A secret header is shown neither in what was answered nor in the settings."""
    target = Http(headers={"X-Team": Secret.from_environ("P", {"P": SECRET})})
    assert secrets_of(target) == (SECRET,)
    assert SECRET not in target.model_dump_json() + repr(target)
    assert excerpt(f"you sent {SECRET}", secrets_of(target)) == "you sent <secret>"


def test_headers_named_like_credentials_are_secrets() -> None:
    """The value of an API key's header is one, as sent and as JSON writes it; others are not."""
    target = Http(headers={"X-Api-Key": 'hunter"2', "Cookie": "session=1", "Accept": "text/plain"})
    assert set(secrets_of(target)) == {'hunter"2', 'hunter\\"2', "session=1"}
