"""The report: what a model invents never leads, confidence is capped by code, nothing is lost."""

from __future__ import annotations

import asyncio
import shlex
from dataclasses import replace

import pytest

from responder.alert import Change, Episode
from responder.incident import Incident
from responder.investigation import embedded
from responder.investigation.analyst import AnalystError, Brief
from responder.investigation.compose import Stamp, compose
from responder.investigation.disproof import Disproof
from responder.investigation.evidence import UNCONFIGURED, CauseKind, Evidence, Status
from responder.investigation.render import render
from responder.investigation.report import (
    Action,
    Cause,
    Claim,
    Confidence,
    DecisionKind,
    Draft,
    Report,
)
from responder.investigation.stages import Limits, Stages
from tests.responder.investigation.scene import ANYTHING, START, TOPOLOGY, Scene, stages
from tests.responder.investigation.test_truths import dependency_slow, hang

STAMP = Stamp(report_id="r1", started_at=START, now=START + 2)


def brief_of(scene: Scene, alert: str, target: str, severity: str = "critical") -> Brief:
    """Make the brief of a scene."""
    incident = scene.incident(alert, target, severity)
    gathered = scene.gathered(incident)
    ranked = stages().rank(incident, gathered, tuple(scene.changes))
    return Brief(
        incident=incident,
        onset_at=ranked.onset_at,
        evidence=gathered.evidence,
        suspects=ranked.suspects,
        changes=tuple(scene.changes),
        runbooks={"TargetHung": "# Hung\n## Mitigation\n- Restart the engine.\n"},
    )


@pytest.fixture
def brief() -> Brief:
    """Return the brief of a hang."""
    scene = Scene()
    return brief_of(scene, *hang(scene))


def draft(*causes: Cause, **more: object) -> Draft:
    """Make a model's draft."""
    given = {"analyst": "mistral", "headline": "something", "summary": (), "causes": causes}
    return Draft.model_validate({**given, **more})


def cause(text: str, *ids: str, component: str = "engine") -> Cause:
    """Make a cause of one claim."""
    claim = Claim(text=text, evidence=ids)
    kind = CauseKind.HUNG_ENGINE
    return Cause(component=component, kind=kind, confidence=Confidence.HIGH, claims=(claim,))


def junior_id(brief: Brief, target: str = "engine") -> str:
    """Return the id of what a junior saw."""
    return next(e.id for e in brief.evidence if e.facts.get("target") == target)


def test_an_invented_leading_cause_gives_way_to_the_embedded_draft(brief: Brief) -> None:
    """Its claims are kept as unverified, the note says so, and code's cause leads."""
    invented = cause("engine waits for 812 s on redis_main", junior_id(brief))
    report = compose(brief, draft(invented), (), STAMP)
    assert (report.causes[0].component, report.causes[0].kind) == ("engine", CauseKind.HUNG_ENGINE)
    assert report.analyst == "mistral"
    assert any("bears out its first cause" in note for note in report.notes)
    assert "812 s" in report.unverified[0].problem
    shown = report.model_dump_json(include={"headline", "summary", "causes", "ruled_out"})
    assert "812" not in shown


def test_a_component_that_no_evidence_speaks_of_cannot_be_a_cause(brief: Brief) -> None:
    """An invented component is unverified, however true the claim's words are."""
    made_up = cause("the junior sees it as hung", junior_id(brief), component="redis")
    report = compose(brief, draft(made_up), (), STAMP)
    assert all(each.component != "redis" for each in report.causes)
    assert "redis" in report.unverified[0].problem


@pytest.mark.parametrize(("detail", "is_told"), [(UNCONFIGURED, False), ("no answer", True)])
def test_a_source_is_missed_where_it_was_asked(brief: Brief, detail: str, *, is_told: bool) -> None:
    """What nobody configured stands in the ledger, and is no gap of the report."""
    silent = brief.evidence[0].model_copy(
        update={"id": "E99", "source": "loki", "status": Status.UNAVAILABLE, "detail": detail}
    )
    seen = replace(brief, evidence=(*brief.evidence, silent))
    report = compose(seen, embedded.draft(seen), (), STAMP)
    assert ("not seen: loki; see the coverage" in report.notes) is is_told
    assert "loki" in {each.source for each in report.coverage}


def test_a_verified_draft_leads_with_its_headline(brief: Brief) -> None:
    """A model's draft whose claims are found is the report, with its own words."""
    true = cause("the junior sees engine as hung", junior_id(brief))
    report = compose(brief, draft(true, headline="engine is hung"), (), STAMP)
    assert report.headline == "engine is hung"
    assert report.causes[0].claims[0].text == "the junior sees engine as hung"
    assert report.unverified == ()


def test_a_headline_with_invented_numbers_is_replaced(brief: Brief) -> None:
    """The headline is read like a claim."""
    true = cause("the junior sees engine as hung", junior_id(brief))
    report = compose(brief, draft(true, headline="engine hung for 9 hours"), (), STAMP)
    assert "9" not in report.headline
    assert "engine" in report.headline


def test_links_mentions_secrets_and_hidden_text_of_a_draft_are_removed(brief: Brief) -> None:
    """What a model was talked into does not reach a channel."""
    hostile = "<!channel> ![x](http://evil.example/a.png) token=abcdefgh1234 \u202e\u200bhung"
    report = compose(
        brief,
        draft(
            cause("the junior sees engine as hung", junior_id(brief)),
            headline=hostile,
            actions=[Action(text=f"run {hostile}", source="TargetHung")],
            notes=[hostile],
        ),
        (),
        STAMP,
    )
    text = report.model_dump_json()
    for gone in ("evil.example", "abcdefgh1234", "\u202e", "\u200b", "<!channel>", "!["):
        assert gone not in text


def test_an_action_names_a_runbook_only_where_the_page_says_so(brief: Brief) -> None:
    """The runbook's own step keeps its source; another in its name is unverified."""
    given = [
        Action(text="Restart the engine.", source="TargetHung"),
        Action(text="Delete the volume.", source="TargetHung"),
        Action(text="Look at it.", source="Nothing"),
    ]
    true = cause("the junior sees engine as hung", junior_id(brief))
    report = compose(brief, draft(true, actions=given), (), STAMP)
    assert [each.source for each in report.actions] == ["TargetHung", "unverified", "unverified"]


def test_high_confidence_needs_two_witnesses_and_a_passed_disproof(brief: Brief) -> None:
    """Series and junior together, and one question stood: high; less than that: not."""
    own = embedded.draft(brief)
    stood = Disproof(suspect="engine", kind=CauseKind.HUNG_ENGINE, question="?", held=True)
    fell = stood.model_copy(update={"held": False})
    unasked = stood.model_copy(update={"held": None})

    def confidence(given: Draft, *disproofs: Disproof) -> Confidence:
        return compose(brief, given, disproofs, STAMP).causes[0].confidence

    assert confidence(own, stood) is Confidence.HIGH
    assert confidence(own) is Confidence.MEDIUM
    assert confidence(own, unasked) is Confidence.MEDIUM
    assert confidence(own, stood, fell) is Confidence.LOW
    one = draft(cause("the junior sees engine as hung", junior_id(brief)))
    assert confidence(one, stood) is Confidence.MEDIUM


def test_disproof_never_raises_confidence(brief: Brief) -> None:
    """What the analyst thinks low stays low, whatever was stood."""
    stood = Disproof(suspect="engine", kind=CauseKind.HUNG_ENGINE, question="?", held=True)
    own = embedded.draft(brief)
    first = own.causes[0].model_copy(update={"confidence": Confidence.LOW})
    low = own.model_copy(update={"causes": (first,)})
    assert compose(brief, low, (stood,), STAMP).causes[0].confidence is Confidence.LOW


def test_a_models_cause_has_the_confidence_that_code_has_in_it(brief: Brief) -> None:
    """Code's own suspect is as sure as code is, then capped; what it never suspected is low."""
    stood = Disproof(suspect="engine", kind=CauseKind.HUNG_ENGINE, question="?", held=True)
    own = embedded.draft(brief).causes[0]
    named = own.model_copy(update={"confidence": Confidence.LOW})
    other = named.model_copy(update={"kind": CauseKind.CERTIFICATE, "confidence": Confidence.HIGH})

    def confidence(given: Cause, *disproofs: Disproof) -> Confidence:
        return compose(brief, draft(given), disproofs, STAMP).causes[0].confidence

    assert confidence(named, stood) is Confidence.HIGH
    assert confidence(named) is Confidence.MEDIUM
    assert confidence(named, stood.model_copy(update={"held": False})) is Confidence.LOW
    assert confidence(other, stood.model_copy(update={"kind": other.kind})) is Confidence.LOW


def test_a_target_whose_state_is_unknown_is_not_checked() -> None:
    """An alert may name a target that its junior knows nothing of: neither ill nor well."""
    scene = Scene()
    scene.states["engine"] = "unknown"
    unseen = brief_of(scene, "Something", "engine")
    impact = compose(unseen, embedded.draft(unseen), (), STAMP).impact
    assert "engine" not in (*impact.affected, *impact.healthy)
    assert "engine (its state is unknown)" in impact.not_checked


def test_only_web_links_are_kept(brief: Brief) -> None:
    """A known link stays in a note; one of another kind goes, whoever announced it."""
    web, script = "https://grafana.example/d/1", "javascript:alert(1)"
    linked = tuple(
        each.model_copy(update={"link": link})
        for each, link in zip(brief.evidence[:2], (web, script), strict=True)
    )
    given = _with(brief, (*linked, *brief.evidence[2:]), brief.incident)
    own = embedded.draft(given).model_copy(update={"notes": (f"see {web}", f"see {script}")})
    notes = compose(given, own, (), STAMP).notes
    assert f"see {web}" in notes
    assert not any("javascript" in each for each in notes)


def test_the_ledger_accounts_for_every_piece_of_evidence(brief: Brief) -> None:
    """Each question asked is a line of the coverage, with what came of it."""
    report = compose(brief, embedded.draft(brief), (), STAMP)
    assert [each.evidence for each in report.coverage] == [each.id for each in brief.evidence]
    assert {each.source for each in report.coverage} >= {"alert", "prometheus", "exporter"}


def test_impact_tells_affected_healthy_and_unseen(brief: Brief) -> None:
    """The hung target is affected, the others healthy, and what no junior probes is not checked."""
    impact = compose(brief, embedded.draft(brief), (), STAMP).impact
    assert impact.affected == ("engine",)
    assert set(impact.healthy) == {"vectors", "judge", "door"}
    assert any(each.startswith("facts") for each in impact.not_checked)


def test_the_timeline_is_in_order_and_tells_changes() -> None:
    """Changes, the onset, movements and the alert, by time."""
    scene = Scene()
    scene.change("facts", before=90)
    brief = brief_of(scene, *dependency_slow(scene), severity="warning")
    report = compose(brief, embedded.draft(brief), (), STAMP)
    times = [each.at for each in report.timeline]
    assert times == sorted(times)
    texts = " ".join(each.text for each in report.timeline)
    assert "Ship facts" in texts
    assert "it begins" in texts
    assert "TargetDegraded fires" in texts


@pytest.mark.parametrize(
    ("severity", "state", "kind"),
    [
        ("critical", "ok", DecisionKind.PAGE),
        ("warning", "down", DecisionKind.PAGE),
        ("warning", "degraded", DecisionKind.TICKET),
        ("info", "degraded", DecisionKind.WATCH),
    ],
)
def test_the_decision_follows_severity_and_harm(
    severity: str, state: str, kind: DecisionKind
) -> None:
    """Policy in code: critical pages, a warning pages when users are hurt."""
    scene = Scene()
    scene.states["engine"] = state
    brief = brief_of(scene, "Something", "engine", severity)
    decision = compose(brief, embedded.draft(brief), (), STAMP).decision
    assert decision.kind is kind
    assert decision.reasons
    assert decision.escalation


def test_a_silenced_incident_is_expected_and_a_resolved_one_watched(brief: Brief) -> None:
    """Alertmanager's own silence makes it expected; a resolution makes it something to watch."""
    facts = {"TargetHung 1 is": "silenced by 1", "TargetHung 1 goes to": "pager"}
    held = brief.evidence[0].model_copy(
        update={"id": "E900", "source": "alertmanager", "status": Status.OK, "facts": facts}
    )
    silenced = _with(brief, (*brief.evidence, held), brief.incident)
    report = compose(silenced, embedded.draft(silenced), (), STAMP)
    assert report.decision.kind is DecisionKind.EXPECTED
    ended = brief.incident.model_copy(update={"resolved_at": START + 9000})
    resolved = _with(brief, brief.evidence, ended)
    report = compose(resolved, embedded.draft(resolved), (), STAMP)
    assert report.decision.kind is DecisionKind.WATCH


def test_one_silenced_alert_of_two_does_not_make_an_incident_expected(brief: Brief) -> None:
    """An open episode that Alertmanager does not tell of is not silenced; a resolved one may go."""
    facts = {"TargetHung 1 is": "silenced by 1", "TargetHung 1 goes to": "pager"}
    held = brief.evidence[0].model_copy(
        update={"id": "E900", "source": "alertmanager", "status": Status.OK, "facts": facts}
    )
    first = brief.incident.episodes[0]
    second = first.model_copy(update={"id": "ep2"})

    def decided(*episodes: Episode) -> DecisionKind:
        incident = brief.incident.model_copy(update={"episodes": episodes})
        given = _with(brief, (*brief.evidence, held), incident)
        return compose(given, embedded.draft(given), (), STAMP).decision.kind

    assert decided(first, second) is DecisionKind.PAGE
    ended = second.model_copy(update={"resolved_at": START + 9000})
    assert decided(first, ended) is DecisionKind.EXPECTED


def _with(brief: Brief, evidence: tuple[Evidence, ...], incident: Incident) -> Brief:
    return Brief(
        incident=incident,
        onset_at=brief.onset_at,
        evidence=evidence,
        suspects=brief.suspects,
        changes=brief.changes,
        runbooks=brief.runbooks,
    )


def test_the_proposed_silence_is_one_shell_safe_line() -> None:
    """A hostile target name stays one quoted argument of amtool."""
    scene = Scene()
    target = 'a\'; rm -rf "/" $(x) `y`'
    scene.states[target] = "down"
    scene.put(target, "probe_state", "vigie_target_state", scene.times * 0, state="ok")
    brief = brief_of(scene, "Down", target)
    line = compose(brief, embedded.draft(brief), (), STAMP).decision.proposed_silence
    words = shlex.split(line)
    assert words[:3] == ["amtool", "silence", "add"]
    assert len(words) == 7
    assert words[-2] == 'alertname="Down"'


def test_the_text_tells_where_to_look_in_its_first_three_lines(brief: Brief) -> None:
    """Headline, first cause with a number, decision; and every section of the report."""
    report = compose(brief, embedded.draft(brief), (), STAMP)
    lines = render(report).splitlines()
    assert "engine" in lines[0].lower()
    assert "hung_engine" in lines[1]
    assert "tokens" in lines[1]
    assert lines[2].startswith("Decision: page")
    for title in ("Impact", "Causes", "Timeline (UTC)", "Coverage", "Next"):
        assert title in lines


async def test_a_failing_analyst_is_replaced_with_a_note(brief: Brief) -> None:
    """An error, a crash and a hang of the analyst end in the embedded draft, each with its note."""

    class Failing:
        def __init__(self, error: Exception | None) -> None:
            self.error = error

        async def analyse(self, brief: Brief) -> Draft:
            assert brief.evidence
            if self.error is not None:
                raise self.error
            await asyncio.sleep(3600)
            return draft()

    for error, said in (
        (AnalystError("over budget"), "over budget"),
        (KeyError(), "KeyError"),
        (None, "0.05 s"),
    ):
        made = Stages(
            sources=(),
            topology=TOPOLOGY,
            analysts=(Failing(error),),
            session=ANYTHING,
            limits=Limits(analyst_seconds=0.05),
            clock=lambda: START,
        )
        written = await made.analyse(brief)
        assert written.analyst == "embedded"
        assert said in written.notes[0]


def test_changes_of_strangers_are_one_line() -> None:
    """Changes of services outside the topology are told together, and suspected of nothing."""
    scene = Scene()
    for number in range(30):
        scene.changes.append(
            Change(id=f"s{number}", at=scene.onset, service="mailer", kind="other", title="x")
        )
    brief = brief_of(scene, *hang(scene))
    strangers = [each for each in brief.evidence if each.source == "changes"]
    assert len(strangers) == 1
    assert strangers[0].quantities[0].value == 30
    assert all(each.component != "mailer" for each in brief.suspects)


def test_a_report_survives_json(brief: Brief) -> None:
    """What is stored is what was composed."""
    report = compose(brief, embedded.draft(brief), (), STAMP)
    assert Report.model_validate_json(report.model_dump_json()) == report
