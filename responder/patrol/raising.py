"""Findings as alerts: told to every Alertmanager again and again while they hold, and when over.

Wire format: POST /api/v2/alerts of Alertmanager's API v2, a list of labels, annotations, startsAt,
endsAt, generatorURL: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import aiohttp

from responder.access import AccessError
from responder.guard import told
from responder.patrol.concern import ALERTNAME, RAISED_BY, Standing
from responder.sources.alertmanager import AlertmanagerSource

AGAIN_SECONDS = 60.0
AHEAD_SECONDS = 180.0
"""How far ahead an alert's end is set: three tellings, so that one that is lost does not end it."""
OVER_SECONDS = 300.0
"""How long it is told that one is over: an Alertmanager that was away hears it as well."""
_DEADLINE_SECONDS = 10.0
_LONGEST_PROBLEM = 200


def alerts_of(
    standings: Sequence[Standing], at: float, *, page_url: str, graph_url: str
) -> list[dict[str, Any]]:
    """Write raised standings as Alertmanager takes them; what is over ends when it was."""
    return [_alert(each, at, page_url, graph_url) for each in standings if each.raised_at]


def _alert(one: Standing, at: float, page_url: str, graph_url: str) -> dict[str, Any]:
    found = one.concern
    ends_at = at + AHEAD_SECONDS if one.over_at is None else one.over_at
    identity = {"alertname": ALERTNAME, "look": found.look, "measure": found.measure}
    query = urlencode({"g0.expr": found.query, "g0.tab": "0", "g0.range_input": "6h"})
    return {
        # Whose labels come from what is watched may not pass itself off as another alert.
        "labels": {**found.labels, **identity, "severity": "warning", "raised_by": RAISED_BY},
        "annotations": {
            "summary": "The senior's round found what no alert covers.",
            "description": found.text,
            "runbook_url": f"{page_url}/runbooks/{ALERTNAME}",
            "dashboard_url": f"{page_url}/patrol",
        },
        "startsAt": _time(one.since),
        "endsAt": _time(max(ends_at, one.since)),
        "generatorURL": f"{graph_url}/graph?{query}",
    }


def _time(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="milliseconds")


async def tell(
    session: aiohttp.ClientSession,
    alertmanagers: Sequence[AlertmanagerSource],
    alerts: Sequence[Mapping[str, Any]],
) -> Mapping[str, str]:
    """Post *alerts* to every Alertmanager at once; give each one's problem, empty for none."""
    told_all = await asyncio.gather(*(_post(session, each, alerts) for each in alertmanagers))
    return {each.url: problem for each, problem in zip(alertmanagers, told_all, strict=True)}


async def _post(
    session: aiohttp.ClientSession,
    alertmanager: AlertmanagerSource,
    alerts: Sequence[Mapping[str, Any]],
) -> str:
    url = f"{alertmanager.url.rstrip('/')}/api/v2/alerts"
    try:
        reach = await alertmanager.reach()
        async with (
            asyncio.timeout(_DEADLINE_SECONDS),
            session.post(
                url,
                json=list(alerts),
                headers=reach.headers,
                ssl=reach.tls,
                allow_redirects=False,
            ) as response,
        ):
            return "" if response.status == 200 else f"answered {response.status}"
    except TimeoutError:
        return f"no answer within {_DEADLINE_SECONDS:g} s"
    except (aiohttp.ClientError, OSError, AccessError) as error:
        return told(error, _LONGEST_PROBLEM)
