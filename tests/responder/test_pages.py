"""The pages, on hostile labels, and the exposition."""

from __future__ import annotations

import asyncio
import re
import time
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from yarl import URL

from responder.store.tables import reports
from responder.web.markdown import render
from responder.web.shown import quantity, span, web_link
from tests.responder.conftest import Place, Start, eventually
from tests.responder.fakes import CHART, alert, post

HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}\u202e"
FAMILIES = {
    "vigie_responder_alerts_received",
    "vigie_responder_build_info",
    "vigie_responder_config_last_reload_successful",
    "vigie_responder_deliveries_received",
    "vigie_responder_incidents_open",
    "vigie_responder_intake_refused",
    "vigie_responder_model_calls",
    "vigie_responder_model_tokens",
    "vigie_responder_outbox_failures",
    "vigie_responder_outbox_oldest_age_seconds",
    "vigie_responder_outbox_pending",
    "vigie_responder_quarantined",
    "vigie_responder_report_info",
    "vigie_responder_reports",
    "vigie_responder_stage_duration_seconds",
    "vigie_responder_task_deaths",
    "vigie_responder_watchdog_last_seen_timestamp_seconds",
    "vigie_responder_work_oldest_age_seconds",
    "vigie_responder_work_pending",
}


class Seen(HTMLParser):
    """Collects the tags and attributes of a page."""

    def __init__(self, text: str) -> None:
        """Read the page."""
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a tag."""
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


def assert_tame(text: str) -> None:
    """Assert that a page holds no script, no style, no handler and no odd link."""
    seen = Seen(text)
    assert not {"script", "style", "iframe", "object"} & set(seen.tags)
    for name, value in seen.attributes:
        assert not name.startswith("on")
        assert name != "style"
        if name in {"href", "src"}:
            assert re.match(r"(/|#|https?://)", value), value


async def hostile(place: Place) -> str:
    """Report an incident whose labels are hostile; give its id."""
    odd = alert(HOSTILE, starts_at=time.time(), target=HOSTILE, zone=HOSTILE)
    odd["annotations"] = {"summary": HOSTILE, HOSTILE: HOSTILE}
    odd["generatorURL"] = "javascript:alert(3)"
    assert await place.send(post(odd)) == 200
    (incident,) = await place.reported()
    return str(incident["id"])


async def test_hostile_labels_stay_text(start: Start) -> None:
    """No label, annotation, claim or link becomes markup on the list or the incident's page."""
    place = await start()
    incident = await hostile(place)
    for path in ("/", f"/incidents/{incident}"):
        text = await place.text(path)
        assert_tame(text)
        assert "<script>alert" not in text
        assert "{{ 7*7 }}" in text


async def test_alerts_without_annotations_are_shown(start: Start) -> None:
    """A rule need not have any, and what Prometheus alone told of has none."""
    place = await start()
    bare = alert(starts_at=time.time()) | {"annotations": {}}
    assert await place.send(post(bare)) == 200
    (incident,) = await place.reported()
    assert "VigieTargetHung" in await place.text(f"/incidents/{incident['id']}")


async def test_every_page_forbids_scripts_by_its_headers(start: Start) -> None:
    """The policy allows nothing inline, on pages, pictures and errors alike."""
    place = await start()
    incident = await hostile(place)
    paths = ("/", f"/incidents/{incident}", "/quarantine", "/static/vigie.css", "/nowhere")
    for path in paths:
        async with place.session.get(place.url / path[1:]) as response:
            policy = response.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe-inline" not in policy


async def test_a_picture_is_served_by_itself(start: Start) -> None:
    """The chart of evidence is an image of its own, boxed in."""
    place = await start()
    incident = await hostile(place)
    path = f"/incidents/{incident}/evidence/E1.svg"
    assert f'src="{path}"' in await place.text(f"/incidents/{incident}")
    async with place.session.get(place.url / path[1:]) as response:
        assert response.content_type == "image/svg+xml"
        assert "sandbox" in response.headers["Content-Security-Policy"]
        assert await response.text() == CHART


async def test_the_incident_page_shows_the_whole_report(start: Start) -> None:
    """Causes, coverage, disproofs, timeline, history and deliveries are all there."""
    place = await start("channels: [{kind: log}]")
    await place.send(post(alert(starts_at=time.time())))
    (incident,) = await place.reported()
    text = await place.text(f"/incidents/{incident['id']}")
    for part in (
        "chat hangs",
        "hung_engine",
        "are peers healthy?",
        "What was looked at",
        "value at onset",
        "1.5 s",
        "to log: ",
        "it hangs",
    ):
        assert part in text, part


async def test_the_page_tells_the_true_story(start: Start) -> None:
    """Every fact of every alert is there in its order, with decisions and messages between."""
    place = await start("channels: [{kind: log}]\nincidents: {quiet: 0s, flap_within: 0s}")
    at = time.time()
    first = alert(starts_at=at - 100)
    await place.send(post(first))
    await place.send(post(first))
    (incident,) = await place.reported()
    await place.send(post(alert(starts_at=at - 130)))
    await place.send(post(alert(starts_at=at - 130, ends_at=at - 10)))
    late = alert("Late", starts_at=at - 500, ends_at=at - 400)
    await place.send(post(late))
    (over, _) = await place.incidents()
    path = f"/incidents/{incident['id']}"
    whole = await eventually(lambda: told(place, f"/api/v1{path}", "resolved"))
    text = await place.text(path)
    facts = [each["fact"] for each in whole["facts"]]
    assert facts == ["firing", "started earlier", "resolved"]
    events = [each["event"] for each in whole["history"]]
    assert events == ["opened", "investigating", "reported", "resolved"]
    assert whole["episodes"][0]["resent"] == 2
    assert "sent again: 2" in text
    order = [text.index(f"<td>{each}</td>") for each in ("firing", "opened", "started earlier")]
    assert order == sorted(order)
    assert_tame(text)
    page = await place.text(f"/incidents/{over['id']}")
    assert "seen late" in page
    assert "it was over before we heard of it" in page


async def told(place: Place, path: str, event: str) -> Any:
    """Give an incident when such an event of it was delivered."""
    whole = await place.read(path)
    sent = [each for each in whole["deliveries"] if each["event"] == event]
    return whole if sent and all(each["status"] == "delivered" for each in sent) else None


def warned(starts_at: float, ends_at: float | None = None) -> dict[str, Any]:
    """Make an alert that is not critical."""
    return alert(starts_at=starts_at, ends_at=ends_at, severity="warning")


async def test_occurrences_and_what_they_are_of_link_each_other(start: Start) -> None:
    """The list, both pages and the API say which incident an occurrence is of."""
    place = await start()
    at = time.time()
    await place.send(post(warned(at - 100)))
    (first,) = await place.reported()
    await place.send(post(warned(at - 100, at - 50)))
    await place.send(post(warned(at - 40)))
    again, _ = await place.incidents()
    whole = await place.read(f"/api/v1/incidents/{first['id']}")
    assert again["occurrence_of"] == first["id"]
    assert [each["id"] for each in whole["occurrences"]] == [again["id"]]
    assert f'href="/incidents/{again["id"]}"' in await place.text(f"/incidents/{first['id']}")
    page = await place.text(f"/incidents/{again['id']}")
    assert f'occurrence of <a href="/incidents/{first["id"]}">' in page


async def test_merged_incidents_link_each_other(start: Start) -> None:
    """The later one says which it is one with, and the earlier lists it."""
    place = await start()
    at = time.time()
    await place.send(post(alert(starts_at=at)))
    await place.reported()
    await place.send(post(alert(starts_at=at, target="other")))
    later, earlier = await place.reported(2)
    assert (later["merged_into"], earlier["merged_into"]) == (earlier["id"], None)
    page = await place.text(f"/incidents/{later['id']}")
    assert f'<a href="/incidents/{earlier["id"]}">{earlier["id"]}</a>, which stands' in page
    assert "Merged into this one" in await place.text(f"/incidents/{earlier['id']}")
    assert "one with <a" in await place.text("/")


async def test_a_report_that_cannot_be_read_is_said_to_be_so(start: Start) -> None:
    """The list, the page and the API are there, and show nothing of what is stored."""
    place = await start()
    await place.send(post(alert(starts_at=time.time())))
    (incident,) = await place.reported()
    odd = sa.update(reports).values(report={"headline": f"tomorrow {HOSTILE}"})
    await place.responder.store.write(lambda database: database.execute(odd))
    path = f"/incidents/{incident['id']}"
    for text in (await place.text("/"), await place.text(path)):
        assert "the stored report cannot be read by this version" in text
        assert "VigieTargetHung" in text
        assert "tomorrow" not in text
    whole = await place.read(f"/api/v1{path}")
    (line,) = await place.incidents()
    for each in (whole, line):
        assert each["report_problem"] == "the stored report cannot be read by this version"
        assert (each["headline"], each["cause"], each["decision"]) == (None, None, None)
    assert (whole["report"], whole["evidence"], len(whole["episodes"])) == (None, [], 1)
    for more in ("/report.txt", "/evidence/E1.svg"):
        async with place.session.get(place.url / f"{path}{more}"[1:]) as response:
            assert response.status == 404


async def test_of_very_many_alerts_the_page_shows_some_hundreds(start: Start) -> None:
    """The rest is counted, and listed by the API page by page."""
    place = await start("incidents: {quiet: 1h}")
    at = time.time()
    many = [alert(starts_at=at, instance=str(n), severity="info") for n in range(230)]
    await place.send(post(*many))
    await place.send(post(alert("Else", starts_at=at, target="else", severity="info")))
    _, incident = sorted(await place.incidents(), key=lambda each: each["alertnames"])
    text = await place.text(f"/incidents/{incident['id']}")
    assert "30 more are not shown" in text
    link = f"/api/v1/episodes?incident={incident['id']}"
    assert f'href="{link}"' in text
    listed = (await place.read(f"{link}&limit=1000"))["episodes"]
    assert [each["incident"] for each in listed] == [incident["id"]] * 230


async def test_what_could_not_be_read_is_shown_without_harm(start: Start) -> None:
    """The page and the API give problem, size and the beginning, escaped and without secrets."""
    place = await start()
    secret = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"
    body = f"{HOSTILE} token {secret} ".encode() + b"x" * 10_000
    await place.send(body)
    assert "/quarantine" in await place.text("/")
    (unread,) = (await place.read("/api/v1/quarantine"))["posts"]
    assert (unread["size_bytes"], unread["requeued_at"]) == (len(body), None)
    assert unread["problem"]
    page = await place.text("/quarantine")
    for text in (page, unread["body"]):
        assert secret not in text
        assert "\u202e" not in text
        assert len(text) < 6000
    assert_tame(page)
    assert "<script>alert" not in page


async def test_the_start_page_is_quiet_when_all_could_be_read(start: Start) -> None:
    """No link to an empty quarantine."""
    place = await start()
    assert "/quarantine" not in await place.text("/")
    assert (await place.read("/api/v1/quarantine")) == {"posts": [], "next": None}


@pytest.mark.parametrize(
    "path", ["/incidents/none", "/runbooks/None", "/runbooks/..%2F..%2Fetc%2Fpasswd", "/x"]
)
async def test_what_is_not_there_is_404(start: Start, path: str) -> None:
    """Unknown incidents, runbooks and paths that lead out are not found."""
    place = await start()
    where = URL(f"{place.url.origin()}{path}", encoded=True)
    async with place.session.get(where) as response:
        assert response.status == 404


async def test_a_runbook_is_shown(start: Start, tmp_path: Path) -> None:
    """The folder of the runbooks source is readable as pages."""
    (tmp_path / "VigieTargetHung.md").write_text("# Hung\n\nIt <b>hangs</b>.\n")
    place = await start(f"sources: [{{kind: runbooks, folder: '{tmp_path}'}}]")
    text = await place.text("/runbooks/VigieTargetHung")
    assert "<h1>Hung</h1>" in text
    assert "It &lt;b&gt;hangs&lt;/b&gt;." in text


def test_markdown_knows_what_runbooks_use() -> None:
    """Headings, lists, code and links become markup; everything else is escaped."""
    text = (
        "## A\n\none\ntwo `x<y` **b**\n\n- p\n  q\n- r\n\n1. s\n\n"
        "```promql\nup < 1\n```\n[l](https://e.org/?a&b) [j](javascript:x)"
    )
    assert str(render(text)).splitlines() == [
        "<h2>A</h2>",
        "<p>one two <code>x&lt;y</code> <strong>b</strong></p>",
        "<ul><li>p q</li><li>r</li></ul>",
        "<ol><li>s</li></ol>",
        "<pre><code>up &lt; 1</code></pre>",
        '<p><a href="https://e.org/?a&amp;b" rel="noreferrer">l</a> [j](javascript:x)</p>',
    ]


def test_values_are_shown_with_their_units() -> None:
    """Numbers are written as a person says them, and only web links are links."""
    assert [span(each) for each in (0.25, 3, 600, 9000)] == ["250 ms", "3.0 s", "10 min", "2.5 h"]
    assert quantity(0.051, "ratio") == "5.1 %"
    assert quantity(3 * 1024**2, "bytes") == "3.0 MiB"
    assert quantity(12, "per_second") == "12 /s"
    assert quantity(None, "") == "-"
    assert web_link("javascript:x") == ""


async def test_the_exposition_is_clean(start: Start, programs: Mapping[str, Path]) -> None:
    """Every family is there, and promtool has nothing to say."""
    place = await start("channels: [{kind: log}]")
    await place.send(post(alert("VigieWatchdog", starts_at=time.time(), target="")))
    await place.send(b"unreadable")
    await hostile(place)
    text = await place.text("/metrics")
    check = [str(programs["promtool"]), "check", "metrics"]
    said = await asyncio.create_subprocess_exec(*check, stdin=PIPE, stdout=PIPE, stderr=STDOUT)
    output, _ = await said.communicate(text.encode())
    assert (said.returncode, output) == (0, b"")
    seen = {
        line.split()[2].removesuffix("_total") for line in text.splitlines() if "# TYPE" in line
    }
    assert seen >= FAMILIES


async def test_openmetrics_is_given_to_who_asks(start: Start) -> None:
    """Prometheus asks for it first; it ends with its mark."""
    place = await start()
    headers = {"Accept": "application/openmetrics-text;version=1.0.0"}
    async with place.session.get(place.url / "metrics", headers=headers) as response:
        assert response.headers["Content-Type"].startswith("application/openmetrics-text")
        assert (await response.text()).endswith("# EOF\n")
