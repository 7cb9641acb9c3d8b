"""Incidents made of numbers: a small platform's series as they are when all is well, then altered.

The platform is not the lab: a `door` in front of `engine` and `vectors`, and a `judge` that reads
`facts`. What each trouble does to the series is written from the field descriptions of such
troubles, not from what the code looks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from responder.alert import Alert, AlertStatus, Change, Episode
from responder.incident import Incident, IncidentState
from responder.investigation.analyst import Brief
from responder.investigation.evidence import Evidence, Floats, Frame, Quantity, Status, Window
from responder.investigation.gather import Gathered, assemble
from responder.investigation.report import Report
from responder.investigation.stages import Limits, Ranked, Stages
from responder.source import Finding, Question, Topology

START = 1_700_000_000.0
TOPOLOGY = Topology(
    component_label="service",
    calls=(("door", "engine"), ("door", "vectors"), ("judge", "facts")),
)
ANYTHING: Any = None


@dataclass(kw_only=True, slots=True)
class Scene:
    """Samples at one step; the trouble begins at `onset`, the alert fires twelve later."""

    step: float = 15.0
    seed: int = 1
    count: int = 134
    onset_index: int = 120
    series: dict[tuple[str, str, tuple[tuple[str, str], ...]], Floats] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    extra: list[Evidence] = field(default_factory=list)
    rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        """Let everything be well."""
        self.rng = np.random.default_rng(self.seed)
        for service, rate, seconds in (
            ("door", 12.0, 0.18),
            ("engine", 8.0, 0.25),
            ("vectors", 4.0, 0.004),
            ("judge", 3.0, 0.012),
            ("facts", 3.0, 0.005),
        ):
            self.add(service, "up", "up", 1.0, 0.0)
            self.add(service, "traffic", "http_requests_total", rate)
            self.add(service, "error_ratio", "http_requests_total", 0.0, 0.0)
            self.add(service, "latency", "http_request_duration_seconds", seconds)
            self.add(service, "in_flight", "http_requests_in_flight", rate * seconds)
            self.add(service, "started", "process_start_time_seconds", START - 9e4, 0.0)
            self.add(service, "memory", "process_resident_memory_bytes", 8e7, 0.001)
        for role, name, value in (
            ("queue", "vllm:num_requests_waiting", 0.0),
            ("running", "vllm:num_requests_running", 2.0),
            ("tokens", "vllm:generation_tokens_total", 130.0),
            ("first_token", "vllm:time_to_first_token_seconds", 0.04),
            ("token_gap", "vllm:inter_token_latency_seconds", 0.015),
        ):
            self.add("engine", role, name, value)
        for caller, callee in TOPOLOGY.calls:
            latency = self.of(callee, "latency")
            self.put(caller, "upstream_latency", "client_seconds", latency, peer=callee)
            zero = np.zeros(self.count)
            self.put(caller, "upstream_error_ratio", "client_total", zero, peer=callee)
        for target in ("engine", "vectors", "judge", "door"):
            self.states[target] = "ok"

    def add(self, service: str, role: str, name: str, value: float, noise: float = 0.05) -> None:
        """Add a series around a value."""
        values = value * (1 + noise * self.rng.standard_normal(self.count))
        self.put(service, role, name, values)

    def put(self, service: str, role: str, name: str, values: Floats, **labels: str) -> None:
        """Add a series as given."""
        extra = tuple(sorted({**labels, "__name__": name}.items()))
        self.series[service, role, extra] = values

    def of(self, service: str, role: str, **labels: str) -> Floats:
        """Return a series, to be altered."""
        for (owner, kind, extra), values in self.series.items():
            if (owner, kind) == (service, role) and set(labels.items()) <= set(extra):
                return values
        raise KeyError((service, role))

    def late(
        self, service: str, role: str, factor: float = 1.0, plus: float = 0.0, **of: str
    ) -> None:
        """Let a series change from the onset on."""
        values = self.of(service, role, **of)
        values[self.onset_index :] = values[self.onset_index :] * factor + plus

    @property
    def times(self) -> Floats:
        """The times of the samples."""
        return START + self.step * np.arange(self.count, dtype=np.float64)

    @property
    def onset(self) -> float:
        """When the trouble begins."""
        return START + self.step * self.onset_index

    def change(self, service: str, kind: str = "deployment", before: float = 3) -> None:
        """Announce a change so many samples before the onset."""
        at = self.onset - before * self.step
        number = len(self.changes)
        self.changes.append(
            Change(
                id=f"c{number}", at=at, service=service, kind=kind, title=f"Ship {service} 2.1.0"
            )
        )

    def incident(self, alert: str, target: str, severity: str = "critical") -> Incident:
        """Make the incident of an alert on a target, twelve samples after the onset."""
        fired = self.onset + 12 * self.step
        labels = {"alertname": alert, "target": target, "severity": severity, "job": "exporter"}
        one = Alert(
            fingerprint="f1",
            status=AlertStatus.FIRING,
            labels=labels,
            annotations={"summary": "Something is wrong."},
            starts_at=fired,
            ends_at=None,
        )
        return Incident(
            id="inc1",
            opened_at=fired,
            state=IncidentState.INVESTIGATING,
            reason="a test",
            episodes=(Episode(id="ep1", alert=one, first_seen_at=fired),),
        )

    def findings(self, target: str, *, expression: str = "") -> list[tuple[str, Finding]]:
        """Make what Prometheus and the exporter would bring."""
        ok = np.ones(self.count)
        ok[self.onset_index + 1 :] = 0.0 if self.states[target] != "ok" else 1.0
        self.put(target, "probe_state", "vigie_target_state", ok, state="ok", target=target)
        evidence: list[Evidence] = []
        labels: list[dict[str, str]] = []
        columns: list[Floats] = []
        window = Window(start=self.times[0], end=self.times[-1])
        for (service, role, extra), values in self.series.items():
            given = dict(extra)
            name = given.pop("__name__")
            origin = "junior" if role.startswith("probe") else "native"
            marks = {"__name__": name, "__role__": role, "__unit__": _unit(role)}
            marks |= {"__evidence__": str(len(evidence)), "__origin__": origin}
            labels.append({**given, **marks, "component": service})
            columns.append(values)
            evidence.append(
                _evidence("prometheus", f"{service}: {role} ({name})", window, service, origin)
            )
        if expression:
            rule = _evidence("prometheus", "rule", window, target, "rule")
            evidence.append(rule.model_copy(update={"facts": {"expression": expression}}))
        frame = Frame(times=self.times, values=np.column_stack(columns), labels=tuple(labels))
        return [
            ("prometheus", Finding(evidence=evidence, frame=frame)),
            ("exporter", Finding(evidence=[self._junior(t, window) for t in self.states])),
            ("other", Finding(evidence=self.extra)),
        ]

    def _junior(self, target: str, window: Window) -> Evidence:
        facts = {"target": target, "origin": "junior", "state": self.states[target]}
        facts["kind"] = "openai_chat" if target == "engine" else "http"
        quantities = [Quantity(name="interval", value=2 * self.step, unit="seconds")]
        if reason := self.reasons.get(target):
            at = self.onset + 5 * self.step
            facts |= {"reason": reason, "failure 1 reason": reason}
            if text := self.texts.get(target):
                facts["failure 1 excerpt"] = text
            quantities.append(Quantity(name="failure 1", value=at, unit="timestamp", at=at))
        made = _evidence("exporter", f"{target} as its junior sees it", window, target, "junior")
        return made.model_copy(update={"facts": facts, "quantities": tuple(quantities)})

    def gathered(self, incident: Incident, expression: str = "") -> Gathered:
        """Put the findings together as the stage does."""
        target = incident.targets[0]
        question = Question(
            incident=incident,
            window=Window(start=self.times[0], end=float(self.times[-1])),
            step_seconds=0.0,
            topology=TOPOLOGY,
            changes=tuple(self.changes),
            session=ANYTHING,
            deadline_seconds=1.0,
        )
        return assemble(question, self.findings(target, expression=expression))

    async def report(
        self, alert: str, target: str, *, severity: str = "critical", expression: str = ""
    ) -> tuple[Report, Ranked, Gathered]:
        """Run every stage on it, with the embedded analyst."""
        incident = self.incident(alert, target, severity)
        gathered = self.gathered(incident, expression)
        return await concluded(incident, gathered, tuple(self.changes))


def stages() -> Stages:
    """Make stages that need no source."""
    return Stages(
        sources=(),
        topology=TOPOLOGY,
        analysts=(),
        session=ANYTHING,
        limits=Limits(),
        clock=lambda: START,
    )


async def concluded(
    incident: Incident, gathered: Gathered, changes: tuple[Change, ...]
) -> tuple[Report, Ranked, Gathered]:
    """Rank, disprove, analyse and conclude."""
    made = stages()
    ranked = made.rank(incident, gathered, changes)
    disproofs, more = await made.disprove(incident, gathered, ranked)
    brief = Brief(
        incident=incident,
        onset_at=ranked.onset_at,
        evidence=(*gathered.evidence, *more),
        suspects=ranked.suspects,
        changes=changes,
        runbooks=gathered.runbooks,
    )
    draft = await made.analyse(brief)
    now = incident.opened_at + 30
    report = made.conclude(
        brief, draft, disproofs, report_id="r1", started_at=incident.opened_at, now=now
    )
    return report, ranked, gathered


def _unit(role: str) -> str:
    units: Mapping[str, str] = {
        "traffic": "per_second",
        "tokens": "per_second",
        "error_ratio": "ratio",
        "upstream_error_ratio": "ratio",
        "started": "timestamp",
        "certificate_end": "timestamp",
        "memory": "bytes",
        "up": "",
        "probe_state": "",
    }
    counts = {"queue", "running", "in_flight"}
    return "count" if role in counts else units.get(role, "seconds")


def _evidence(source: str, title: str, window: Window, component: str, origin: str) -> Evidence:
    return Evidence(
        id="",
        source=source,
        title=title,
        query="a_query",
        window=window,
        status=Status.OK,
        component=component,
        facts={"origin": origin, "metric": title},
    )
