"""Log lines as templates: what varies is left out, what is new or risen is found."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responder.log_lines import LONGEST_SHOWN, Entry, changed, shown, template


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("took 12 ms for 3 rows", "took <*> ms for <*> rows"),
        ("2026-01-02T03:04:05.678Z ERROR x", "<*>Z ERROR x"),
        ("peer 10.0.3.17:8080 refused", "peer <*> refused"),
        ("request 123e4567-e89b-12d3-a456-426614174000 lost", "request <*> lost"),
        ("commit deadbeef1 at 0xFFab", "commit <*> at <*>"),
        ("decade faced", "decade faced"),
    ],
)
def test_what_varies_is_left_out(text: str, expected: str) -> None:
    """Numbers, times, addresses, identifiers and hexadecimal words; plain words stay."""
    assert template(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"msg": "lost", "error": "disk full", "trace": "abc"}', "lost: disk full"),
        ('{"message": "lost", "err": {"no": 1}}', "lost"),
        ('{"level": "error"}', '{"level": "error"}'),
        ('{"msg": ', '{"msg":'),
        ("{curly} words", "{curly} words"),
    ],
)
def test_structured_lines_tell_their_message(text: str, expected: str) -> None:
    """The message and its cause; what is no such record is shown as it is."""
    assert shown(text) == expected


@given(st.text(max_size=400))
def test_any_text_is_fit_to_show(text: str) -> None:
    """Whatever was logged is one line, bounded, and has a template."""
    made = shown(text)
    assert len(made) <= LONGEST_SHOWN
    assert "\n" not in made
    assert isinstance(template(made), str)


def test_new_comes_before_risen_and_the_usual_is_left_out() -> None:
    """Rates are compared, so that a longer look before does not hide a rise."""
    before = [Entry(at=n, text=f"slow {n}") for n in range(20)]
    before += [Entry(at=n, text=f"usual {n}") for n in range(20)]
    since = [Entry(at=200 + n, text=f"slow {n}") for n in range(10)]
    since += [Entry(at=200 + n, text=f"usual {n}") for n in range(2)]
    since += [Entry(at=203, text="lost 2"), Entry(at=202, text="lost 1")]
    found = changed(before, since, (200.0, 20.0), most=5)
    assert [each.text for each in found] == ["lost <*>", "slow <*>"]
    assert (found[0].example, found[0].first_at) == ("lost 1", 202)
    assert math.isinf(found[0].factor)
    assert found[1].factor == pytest.approx(5)


def test_only_so_many_are_given() -> None:
    """The most frequent of the new ones are kept, the same ones each time."""
    since = [Entry(at=1, text=f"{'x' * n} lost") for n in range(1, 9) for _ in range(n)]
    found = changed([], since, (1, 1), most=2)
    assert [each.since for each in found] == [8, 7]
