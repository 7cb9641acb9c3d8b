"""Judges a run: the ledger on one side, the product's own account and the ends on the other."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.chaos.account import Account
from lab.chaos.ends import Call, Delivery
from lab.chaos.front import Acknowledged, Key
from lab.chaos.replicas import Kill

_SAME_SECONDS = 0.002
_READ_LATE_SECONDS = 1.0
"""How late our loop may read what a killed process had sent: less than a replica takes to start."""
STORED_SECONDS = 3.0
"""A call whose answer came this short before a kill may not have been stored: it may come again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """All that is judged; times are seconds since the epoch."""

    acknowledged: Mapping[Key, Acknowledged]
    account: Account
    deliveries: Sequence[Delivery]
    calls: Mapping[str, Sequence[Call]]
    kills: Sequence[Kill] = ()


@dataclass(kw_only=True, slots=True)
class Verdict:
    """What came of it: `faults` are empty when nothing was lost, doubled or paid twice."""

    ends: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)

    @property
    def right(self) -> bool:
        """Tell whether every promise was kept."""
        return not self.faults


def judge(evidence: Evidence) -> Verdict:
    """Hold every promise against the ledger."""
    verdict = Verdict()
    _alerts(evidence, verdict)
    _single_reports(evidence, verdict)
    _messages(evidence, verdict)
    _calls(evidence, verdict)
    return verdict


def _alerts(evidence: Evidence, verdict: Verdict) -> None:
    """Find every acknowledged alert in an episode whose incident came to an end."""
    stored = evidence.account.episodes()
    used: Counter[str] = Counter()
    for (fingerprint, starts_at), entry in evidence.acknowledged.items():
        held = [pair for pair in stored.get(fingerprint, ()) if _covers(pair[1], starts_at)]
        if not held:
            _lost(verdict, entry, fingerprint, starts_at, "is in no episode")
            continue
        identity, episode = held[0]
        used[episode["id"]] += 1
        end = evidence.account.end_of(identity)
        verdict.ends[end or "none"] += 1
        if not end:
            state = evidence.account.incidents[identity]["state"]
            problem = f"its incident {identity} is {state}, without report or reason"
            _lost(verdict, entry, fingerprint, starts_at, problem)
        if len(held) > 1:
            verdict.faults.append(f"{_named(entry)}: one firing in {len(held)} episodes")
    verdict.figures["acknowledged alerts"] = len(evidence.acknowledged)
    verdict.figures["episodes that hold them"] = len(used)


def _lost(
    verdict: Verdict, entry: Acknowledged, fingerprint: str, starts_at: float, problem: str
) -> None:
    verdict.faults.append(f"LOST {_named(entry)} {fingerprint} since {starts_at:.3f}: {problem}")


def _covers(episode: Mapping[str, Any], starts_at: float) -> bool:
    """Tell whether the firing that began at *starts_at* is this episode, or a part of it."""
    begins = episode["alert"]["starts_at"]
    if abs(begins - starts_at) <= _SAME_SECONDS:
        return True
    ends = episode["resolved_at"]
    return begins <= starts_at and (ends is None or starts_at <= ends)


def _named(entry: Acknowledged) -> str:
    labels = entry.labels
    return f"{labels.get('alertname')} of {labels.get('instance') or labels.get('target')}"


def _single_reports(evidence: Evidence, verdict: Verdict) -> None:
    """At most one report for an incident, in the account and at the sink."""
    reports: dict[str, set[str]] = defaultdict(set)
    for identity, incident in evidence.account.incidents.items():
        if incident["report"] is not None:
            reports[identity].add(incident["report"]["id"])
    for each in evidence.deliveries:
        if each.report:
            reports[each.incident].add(each.report)
    for identity, ids in reports.items():
        if len(ids) > 1:
            verdict.faults.append(f"incident {identity} has {len(ids)} reports: {sorted(ids)}")
    verdict.figures["incidents"] = len(evidence.account.incidents)
    verdict.figures["incidents with a report"] = len(reports)


def _messages(evidence: Evidence, verdict: Verdict) -> None:
    """Every report was delivered, and what came twice came under the same key, about the same."""
    reported = {each.incident for each in evidence.deliveries if each.event == "reported"}
    for identity, incident in evidence.account.incidents.items():
        if incident["report"] is not None and identity not in reported:
            verdict.faults.append(f"the report of incident {identity} was never delivered")
    keys: dict[tuple[str, str], set[str]] = defaultdict(set)
    abouts: dict[str, set[tuple[str, str, str]]] = defaultdict(set)
    for each in evidence.deliveries:
        if each.event == "reported":  # others may come more than once, of different occasions
            keys[each.incident, each.event].add(each.key)
        abouts[each.key].add((each.incident, each.event, each.report))
    verdict.faults += _several(keys, "keys for the message")
    verdict.faults += _several(abouts, "messages under the key")
    if "" in abouts:
        verdict.faults.append("a message came without a key")
    verdict.figures["messages taken"] = len(evidence.deliveries)
    verdict.figures["different messages"] = len(abouts)
    verdict.figures["repeats that no kill explains"] = _needless(evidence)


def _needless(evidence: Evidence) -> int:
    """Count the repeats whose first sender was not struck while it sent."""
    first: dict[str, Delivery] = {}
    count = 0
    for each in evidence.deliveries:
        before = first.setdefault(each.key, each)
        struck = [kill.at for kill in evidence.kills if kill.replica == before.replica]
        until = before.at + STORED_SECONDS
        count += each is not before and not any(before.at - 1 <= at <= until for at in struck)
        first[each.key] = each
    return count


def _several(found: Mapping[Any, set[Any]], noun: str) -> Iterable[str]:
    return [f"{len(each)} {noun} {what}" for what, each in found.items() if len(each) > 1]


def _calls(evidence: Evidence, verdict: Verdict) -> None:
    """Find turns of the model asked for again although no kill took the answer."""
    for identity, calls in evidence.calls.items():
        for before, again in itertools.pairwise(calls):
            if not any(_took(kill, before, again) for kill in evidence.kills):
                when = again.began_at - before.began_at
                verdict.faults.append(
                    f"incident {identity}: the model was asked again by {again.replica}"
                    f" {when:.1f} s after {before.replica}, and no kill explains it"
                )
    verdict.figures["model calls"] = sum(len(each) for each in evidence.calls.values())
    verdict.figures["incidents analysed by the model"] = len(evidence.calls)


def _took(kill: Kill, before: Call, again: Call) -> bool:
    """Tell whether a kill of the asker hit while it asked, or before it had stored the answer."""
    ended = before.ended_at if before.ended_at is not None else again.began_at
    within = before.began_at - _READ_LATE_SECONDS <= kill.at <= ended + STORED_SECONDS
    return kill.replica == before.replica and within
