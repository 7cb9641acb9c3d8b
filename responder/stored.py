"""The families that a scrape reads from the store: what is open, what waits, what is lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from responder.store.snapshot import Snapshot, Titled
from responder.store.verdicts import Judged

_LONGEST_LABEL = 200


def families(snapshot: Snapshot, channels: Sequence[str]) -> Iterable[Metric]:
    """Give the families of *snapshot*; each of *channels* has its series even when it is empty."""
    yield gauge("incidents_open", "Incidents that are not over.", snapshot.incidents_open)
    yield from _work(snapshot)
    yield from _outbox(snapshot, channels)
    yield from _quarantine(snapshot)
    yield from _replicas(snapshot)
    yield _unaccounted(snapshot)
    yield _report_info(snapshot.reports)
    yield _judged(snapshot.judged)
    if snapshot.watchdog_last_seen_at is not None:
        yield gauge(
            "watchdog_last_seen_timestamp_seconds",
            "When the watchdog alert last arrived.",
            snapshot.watchdog_last_seen_at,
        )


def gauge(name: str, text: str, value: float) -> Metric:
    """Give a family of one series without labels."""
    return GaugeMetricFamily(f"vigie_responder_{name}", text, value=value)


def labelled(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    """Give an empty family whose series have *labels*."""
    return GaugeMetricFamily(f"vigie_responder_{name}", text, labels=labels)


def _work(snapshot: Snapshot) -> Iterable[Metric]:
    labels = ("state", "severity")
    pending = labelled("work_pending", "Investigations that wait or run.", *labels)
    oldest = labelled(
        "work_oldest_age_seconds",
        "Age of the oldest investigation that waits or runs, 0 when there is none.",
        *labels,
    )
    for (state, severity), backlog in sorted(snapshot.work.items()):
        pending.add_metric([state, severity], backlog.pending)
        oldest.add_metric([state, severity], backlog.age_seconds(snapshot.at))
    yield pending
    yield oldest


def _outbox(snapshot: Snapshot, channels: Sequence[str]) -> Iterable[Metric]:
    pending = labelled("outbox_pending", "Messages that wait for a channel.", "channel")
    oldest = labelled(
        "outbox_oldest_age_seconds",
        "Age of the oldest message that waits for a channel, 0 when there is none.",
        "channel",
    )
    for channel in sorted({*channels, *snapshot.outbox}):
        backlog = snapshot.outbox.get(channel)
        age_seconds = max(0.0, snapshot.at - backlog.oldest_created_at) if backlog else 0.0
        pending.add_metric([channel], backlog.pending if backlog else 0)
        oldest.add_metric([channel], age_seconds)
    yield pending
    yield oldest


def _quarantine(snapshot: Snapshot) -> Iterable[Metric]:
    unread = snapshot.quarantine
    yield gauge(
        "quarantine_unread", "Posts kept that could not be read, and not since.", unread.pending
    )
    yield gauge(
        "quarantine_oldest_age_seconds",
        "Age of the oldest post that could not be read, 0 when there is none.",
        unread.age_seconds(snapshot.at),
    )


def _replicas(snapshot: Snapshot) -> Iterable[Metric]:
    yield gauge(
        "replicas_alive",
        "Processes that share the database and whose heartbeat is in time.",
        snapshot.replicas_alive,
    )


def _unaccounted(snapshot: Snapshot) -> Metric:
    text = "What the store holds and nothing will ever finish, by kind; must be 0."
    family = labelled("unaccounted", text, "kind")
    for kind, count in sorted(snapshot.unaccounted.items()):
        family.add_metric([kind], count)
    return family


def _judged(judged: Judged) -> Metric:
    text = "Reports that operators judged, by the last verdict of each; correct: another cause."
    family = labelled("reports_judged", text, "analyst", "confidence", "verdict")
    for (analyst, confidence, ruling), count in sorted(judged.items()):
        family.add_metric([analyst[:_LONGEST_LABEL], confidence, ruling], count)
    return family


def _report_info(reports: Sequence[Titled]) -> Metric:
    labels = ("report_id", "alertname", "target", "cause", "component", "decision")
    family = labelled("report_info", "A report made lately; the value is always 1.", *labels)
    for each in reports:
        values = (
            each.report_id,
            each.alertname,
            each.target,
            each.cause,
            each.component,
            each.decision,
        )
        family.add_metric([value[:_LONGEST_LABEL] for value in values], 1)
    return family
