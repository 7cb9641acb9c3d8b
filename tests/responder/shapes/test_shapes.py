"""Each form in which a change is announced, and what is none."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from responder.alert import Change
from responder.announcements import read_changes
from responder.shape import shapes
from responder.webhook_v4 import UnreadableError
from tests.responder.shapes.announced import ARGOCD, BODIES, GITHUB, GITLAB, KUBERNETES

NOW, AT = 1_767_261_700.0, 1_767_261_630.0


def read(body: Any) -> tuple[Change, ...]:
    """Read a body as it comes."""
    return read_changes(orjson.dumps(body), NOW)


def test_every_form_has_a_body_here() -> None:
    """What is registered is tried."""
    assert sorted(BODIES) == sorted(shapes)


@pytest.mark.parametrize("name", BODIES)
def test_a_deployment_is_read(name: str) -> None:
    """Who, what, when and by whom, from whichever sender."""
    (change,) = read(BODIES[name])
    assert (change.service, change.kind, change.at) == ("features", "deployment", AT)
    assert "features" in change.title
    if name != "kubernetes":
        assert (change.version, change.author) == ("v1.5.0", "ada")
    assert read(BODIES[name])[0].id == change.id


@pytest.mark.parametrize("name", BODIES)
def test_no_form_takes_another_for_its_own(name: str) -> None:
    """Each body is of one form alone."""
    assert [each for each, one in shapes.items() if one(BODIES[name]) is not None] == [name]


def altered(body: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Give a body with other values; a dotted key leads deeper."""
    made = copy.deepcopy(body)
    for path, value in more.items():
        *way, last = path.split("__")
        place = made
        for key in way:
            place = place[key]
        place[last] = value
    return made


@pytest.mark.parametrize(
    "body",
    [
        {"zen": "Design for failure.", "hook_id": 3, "repository": {"full_name": "acme/features"}},
        altered(GITHUB, deployment_status__state="queued"),
        altered(GITLAB, status="created"),
        altered(GITLAB, object_kind="push"),
        altered(ARGOCD, status={}),
        altered(KUBERNETES, involvedObject__kind="Pod"),
        {"kind": "EventList", "items": []},
    ],
)
def test_what_tells_of_no_change_is_none(body: dict[str, Any]) -> None:
    """It is no fault either: nothing of it goes into quarantine."""
    assert read(body) == ()


def test_a_deployment_names_its_service_in_its_payload() -> None:
    """One repository may hold several services."""
    (change,) = read(altered(GITHUB, deployment__payload={"service": "scorer"}))
    assert change.service == "scorer"


def test_a_list_of_events_is_several_changes() -> None:
    """Those of pods among them are left out, and what is configured is no deployment."""
    pod = altered(KUBERNETES, involvedObject__kind="Pod")
    scaler = altered(KUBERNETES, involvedObject={"kind": "ConfigMap", "name": "prompts"})
    found = read({"kind": "List", "items": [KUBERNETES, pod, scaler, "no event"]})
    assert [(each.service, each.kind) for each in found] == [
        ("features", "deployment"),
        ("prompts", "config"),
    ]


def test_an_application_may_lie_in_an_envelope() -> None:
    """A template may put more beside it."""
    (change,) = read({"app": ARGOCD, "cluster": "prod"})
    assert change.service == "features"


def test_our_own_form_takes_seconds_as_well() -> None:
    """Its time may be RFC 3339 or seconds, and an unknown kind is other."""
    (change,) = read({"service": "chat", "time": 1_767_225_600, "kind": "magic"})
    assert (change.at, change.kind, change.title) == (1_767_225_600.0, "other", "(no title)")


def test_changes_without_a_time_are_each_their_own() -> None:
    """Two posts of the same text at different times are two changes, now."""
    body = orjson.dumps({"service": "chat"})
    one, two = read_changes(body, NOW), read_changes(body, NOW + 1)
    assert one[0].id != two[0].id
    assert one[0].at == NOW


@pytest.mark.parametrize("body", [b"{}", b'{"service": ""}', b'{"service": null}', b"x", b"[]"])
def test_what_is_of_no_form_is_unreadable(body: bytes) -> None:
    """Nobody can tell what changed."""
    with pytest.raises(UnreadableError):
        read_changes(body, NOW)


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@given(
    st.sampled_from(sorted(BODIES)),
    st.lists(st.tuples(st.integers(0, 40), anything), min_size=1, max_size=4),
)
def test_whatever_a_body_holds_it_is_read_or_refused(
    name: str, changes: list[tuple[int, Any]]
) -> None:
    """With any value in any place, what comes of it can be stored, or is said to be unreadable."""
    body = copy.deepcopy(BODIES[name])
    for number, value in changes:
        places = _places(body)
        holder, key = places[number % len(places)]
        holder[key] = value
    try:
        found = read(body)
    except UnreadableError:
        return
    for each in found:
        assert each.service
        assert 0 < each.at <= NOW + 3600
        assert max(len(each.title), len(each.version), len(each.author), len(each.link)) <= 8192


def _places(body: Any) -> list[tuple[Any, Any]]:
    """List every place in a body that holds something."""
    keys = body.keys() if isinstance(body, dict) else range(len(body))
    found = [(body, key) for key in keys]
    for key in keys:
        if isinstance(body[key], dict | list):
            found += _places(body[key])
    return found
