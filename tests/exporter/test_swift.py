"""Records made quickly: they are what a frozen dataclass is, in all but the time."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, field, fields, replace

import pytest

from exporter import target
from exporter.swift import swift


@swift
@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A record with each kind of field."""

    name: str
    count: int = 3
    parts: list[str] = field(default_factory=list)

    @property
    def shown(self) -> str:
        """Both in one."""
        return f"{self.name} {self.count}"


def test_it_has_its_fields_and_defaults() -> None:
    """A default that is made is made for each."""
    one, other = Seen(name="a"), Seen(name="b", count=4, parts=["x"])
    assert (one.shown, one.parts, other.shown, other.parts) == ("a 3", [], "b 4", ["x"])
    assert one.parts is not Seen(name="a").parts
    assert type(one) is Seen
    assert not hasattr(one, "__dict__")


def test_it_is_frozen() -> None:
    """Nothing is set or deleted once it is made."""
    one = Seen(name="a")
    with pytest.raises(FrozenInstanceError):
        one.count = 5  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del one.name


def test_it_is_compared_shown_and_replaced() -> None:
    """As dataclasses are."""
    one = Seen(name="a", parts=["x"])
    assert one == Seen(name="a", parts=["x"])
    assert one != Seen(name="b", parts=["x"])
    assert repr(one) == "Seen(name='a', count=3, parts=['x'])"
    assert replace(one, count=9) == Seen(name="a", count=9, parts=["x"])


@pytest.mark.parametrize("given", [{}, {"name": "a", "other": 1}])
def test_a_field_that_is_missing_or_unknown_is_refused(given: dict[str, object]) -> None:
    """With a TypeError, like any call."""
    with pytest.raises(TypeError):
        Seen(**given)  # type: ignore[arg-type]


def test_the_records_of_a_run_are_frozen() -> None:
    """Those that are made quickly are no less so."""
    made = target.Times(begin=1.0, end=2.0)
    for each in fields(made):
        with pytest.raises(FrozenInstanceError):
            setattr(made, each.name, 0.0)
