"""What lists of target groups become: targets by template and labels, or a problem by name."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.access import Auth
from exporter.discoveries.files import Files
from exporter.discovery import Document, FoundNative, Place
from exporter.listing import Listed, read
from exporter.probe import probes
from exporter.probes.http import Http
from exporter.probes.openai_chat import OpenAIChat
from exporter.relabel import Rule
from exporter.target import Native, Target
from tests.exporter.test_plugins import made
from toolkit.secrets import Secret

TEMPLATE = OpenAIChat(model="m", labels={"team": "search", "zone": "a"})


def place(template: Target = TEMPLATE, **given: Any) -> Files:
    """Make a place with a template."""
    return Files(name="p", paths=("x",), template=template, **given)


def listed(*groups: Any, at: Files | None = None, before: Listed | None = None) -> Listed:
    """Read one list."""
    return read([Document(origin="list", groups=groups)], at or place(), before)


def test_a_list_becomes_targets() -> None:
    """The template gives the kind; the list gives address, labels, and where it says so a model."""
    found = listed(
        {"targets": ["10.0.0.1:8000", "https://h.example/v1"], "labels": {"zone": "b"}},
        {"targets": ["h2"], "labels": {"__vigie_model": "m2", "__vigie_name": "two", "__x": "y"}},
        {"targets": ["[::1]:80"], "labels": {"__scheme__": "https", "__vigie_path": "/v2"}},
    )
    assert found.problems == ()
    assert [(each.name, each.url, each.model_name) for each in found.targets] == [
        ("10.0.0.1:8000", "http://10.0.0.1:8000", "m"),
        ("h.example/v1", "https://h.example/v1", "m"),
        ("two", "http://h2", "m2"),
        ("1:80", "https://[::1]:80/v2", "m"),
    ]
    assert dict(found.targets[0].labels) == {"team": "search", "zone": "b"}
    assert dict(found.targets[2].labels) == {"team": "search", "zone": "a"}


ODD: dict[str, tuple[Any, str]] = {
    "a number": (3, "not of the form"),
    "no targets": ({"labels": {}}, "not of the form"),
    "targets no list": ({"targets": "h"}, "not of the form"),
    "labels no map": ({"targets": ["h"], "labels": 3}, "labels are no map"),
    "other scheme": ({"targets": ["ftp://h"]}, "not an http address"),
    "credentials": ({"targets": ["http://u:p@h"]}, "credentials"),
    "line break": ({"targets": ["h\nx"]}, "control characters"),
    "no address": ({"targets": [""]}, "no address"),
    "port too large": ({"targets": ["h:99999"]}, "the port"),
    "another of that name": (
        {"targets": ["h"], "labels": {"__vigie_name": "good"}},
        "is there twice",
    ),
    "label name": ({"targets": ["h"], "labels": {"bad-name": "x"}}, "not a label name"),
    "label too long": ({"targets": ["h"], "labels": {"l": "x" * 300}}, "too long"),
    "label far too long": ({"targets": ["h"], "labels": {"l": "x" * 9_000}}, "longer than"),
    "label no text": ({"targets": ["h"], "labels": {"l": 1.10}}, "put it in quotes"),
    "labels without end": (
        {"targets": ["h"], "labels": {f"l{n}": "x" for n in range(30)}},
        "at most 20",
    ),
    "target no text": ({"targets": [None]}, "put it in quotes"),
    "escape in a name": ({"targets": ["h\x1b[31m"]}, "control characters"),
}


@pytest.mark.parametrize("name", ODD)
def test_an_entry_that_is_none_loses_nothing_else(name: str) -> None:
    """It is counted and named, in clean words, and the others are there."""
    group, said = ODD[name]
    found = listed({"targets": ["good"]}, group, {"targets": ["other"]})
    assert [each.name for each in found.targets] == ["good", "other"]
    assert found.refused == 1
    assert said in found.problems[0]
    assert "\x1b" not in found.problems[0]
    assert "u:p" not in found.problems[0]


def test_the_same_target_twice_is_one() -> None:
    """As for Prometheus: only one that differs is a problem."""
    found = listed({"targets": ["h"]}, {"targets": ["h"]})
    assert (len(found.targets), found.refused) == (1, 0)


def test_problems_are_named_up_to_a_bound_and_all_counted() -> None:
    """A list of nothing but nonsense does not fill the memory with its names."""
    found = listed({"targets": [None] * 1_000})
    assert (len(found.problems), found.refused) == (100, 1_000)


def test_an_unchanged_entry_stays_the_same_object() -> None:
    """So that a long list which changed in one line costs one line."""
    first = listed({"targets": ["a", "b"]})
    second = listed({"targets": ["b", "c"]}, before=first)
    assert second.targets[0] is first.targets[1]
    assert len(second.made) == 2


def test_rules_rewrite_and_leave_out() -> None:
    """What a rule leaves out is no problem; meta labels may become the target's own."""
    rules = (
        Rule(source_labels=("__meta_phase",), regex="Running", action="keep"),
        Rule(source_labels=("__meta_app",), target_label="service"),
        Rule(
            source_labels=("__address__",),
            regex="(.*):.*",
            replacement="$1:9",
            target_label="__address__",
        ),
    )
    found = listed(
        {"targets": ["a:1"], "labels": {"__meta_phase": "Running", "__meta_app": "chat"}},
        {"targets": ["b:1"], "labels": {"__meta_phase": "Pending"}},
        at=place(relabel=rules),
    )
    assert [(each.url, each.labels["service"]) for each in found.targets] == [
        ("http://a:9", "chat")
    ]
    assert found.refused == 0


def test_native_metrics_are_on_the_targets_host() -> None:
    """At the place's path and port, or where the list says."""
    at = place(native=FoundNative(server="vllm", port=9000))
    found = listed(
        {"targets": ["a:8000", "https://[::1]/v1"]},
        {"targets": ["b"], "labels": {"__vigie_native_url": "http://c:1/m"}},
        at=at,
    )
    assert [each.native and each.native.url for each in found.targets] == [
        "http://a:9000/metrics",
        "https://[::1]:9000/metrics",
        "http://c:1/m",
    ]
    kept = place(TEMPLATE.model_copy(update={"native": Native(url="http://n", server="vllm")}))
    (only,) = listed({"targets": ["a"]}, at=kept).targets
    assert only.native == Native(url="http://n", server="vllm")


def test_a_list_sends_credentials_to_no_other_host() -> None:
    """A template's `allow_targets` bounds what a list may name; without one, no metadata address.

    An address that only a list names is not one that the configuration names.
    """
    at = place(Http(allow_targets=("*.example",)))
    found = listed({"targets": ["a.example", "evil.test"]}, at=at)
    assert [each.name for each in found.targets] == ["a.example"]
    assert "allow_targets" in found.problems[0]
    (free,) = listed({"targets": ["169.254.169.254"]}, at=place(Http())).targets
    assert free.allow_targets == ("*",)


def test_a_list_sends_the_metrics_credentials_to_no_other_host() -> None:
    """They go with the template, but where a list names the page, its host must be allowed."""
    key = Auth(bearer=Secret(place="test", value="sk-1"))
    native = Native(url="http://n.example", server="litellm", auth=key)
    at = place(Http(allow_targets=("*.example",), native=native))

    def entry(page: str) -> dict[str, Any]:
        return {"targets": ["a.example"], "labels": {"__vigie_native_url": page}}

    (only,) = listed(entry("http://b.example/metrics"), at=at).targets
    assert only.native == native.model_copy(update={"url": "http://b.example/metrics"})
    found = listed(entry("http://evil.test/metrics"), at=at)
    assert (found.targets, found.refused) == ((), 1)


@pytest.mark.parametrize("kind", [*probes.kinds()])
def test_any_kind_can_be_a_template(kind: str) -> None:
    """Its settings are each target's, whatever they are."""
    template: Any = made(probes.get(kind)).model_copy(update={"name": None, "url": None})
    assert isinstance(template, Target)
    found = listed({"targets": ["h:1"]}, at=place(template))
    assert found.problems == ()
    (target,) = found.targets
    assert isinstance(target, type(template))
    assert target.name == "h:1"


def test_place_is_the_settings_of_every_kind() -> None:
    """What all kinds have in common is written once."""
    assert issubclass(Files, Place)
