"""Certificates and models whose end comes nearer, before an alert says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from responder.investigation.wording import DAY, date, span
from responder.patrol.concern import Concern, Grade
from responder.patrol.look import Ground, look

# Within these the shipped rules alert by themselves; the round tells of it as long before again.
_CERTIFICATE_SECONDS = 45 * DAY
_RETIREMENT_SECONDS = 90 * DAY


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """A family that holds when something ends, and how long before that is worth a line."""

    look: str
    family: str
    by: str
    text: str
    within_seconds: float


@look("certificates")
async def certificates(ground: Ground) -> Sequence[Concern]:
    """Find certificates that end within six weeks."""
    end = End(
        look="certificates",
        family="vigie_tls_certificate_expiry_timestamp_seconds",
        by="target",
        text="{target}: its certificate ends in {left} (on {date})",
        within_seconds=_CERTIFICATE_SECONDS,
    )
    return await _ending(ground, end)


@look("retirements")
async def retirements(ground: Ground) -> Sequence[Concern]:
    """Find models that their provider retires within a quarter of a year."""
    end = End(
        look="retirements",
        family="vigie_model_retirement_timestamp_seconds",
        by="target, model",
        text="{target}: model {model} is retired in {left} (on {date})",
        within_seconds=_RETIREMENT_SECONDS,
    )
    return await _ending(ground, end)


async def _ending(ground: Ground, end: End) -> Sequence[Concern]:
    query = f"min by ({end.by}) ({end.family})"
    found = []
    for series in await ground.instant(query):
        for at in series.values:
            left = at - ground.now
            if not 0 < left < end.within_seconds:
                continue
            about = {"target": "", "model": "", **series.labels}
            text = end.text.format(left=span(left), date=date(at)[:10], **_plain(about))
            found.append(
                Concern(
                    look=end.look,
                    measure="end",
                    labels=dict(series.labels),
                    grade=Grade.NOTE,
                    text=text,
                    query=query,
                )
            )
    return found


def _plain(labels: dict[str, str]) -> dict[str, str]:
    return {name: labels[name] for name in ("target", "model")}
