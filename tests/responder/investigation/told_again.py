"""Investigates every trouble and prints the reports; `stored` puts the evidence away in between."""

from __future__ import annotations

import asyncio
import json
import sys

from responder.investigation.evidence import Evidence, Frame, Window
from responder.investigation.gather import Gathered
from tests.responder.investigation.scene import Scene, concluded
from tests.responder.investigation.test_truths import TRUTHS


def put_away(gathered: Gathered) -> Gathered:
    """Give what comes back when the evidence was stored as the workflow stores it."""
    text = json.dumps(
        {
            "window": gathered.window.model_dump(mode="json"),
            "evidence": [each.model_dump(mode="json") for each in gathered.evidence],
            "runbooks": dict(gathered.runbooks),
        }
    )
    packed = gathered.frame.to_bytes() if gathered.frame else b""
    stored = json.loads(text)
    return Gathered(
        window=Window.model_validate(stored["window"]),
        evidence=tuple(Evidence.model_validate(each) for each in stored["evidence"]),
        frame=Frame.from_bytes(packed) if packed else None,
        runbooks=stored["runbooks"],
    )


async def tell(*, is_stored: bool) -> None:
    """Print a report a line."""
    for trouble in TRUTHS:
        scene = Scene()
        incident = scene.incident(*trouble(scene))
        gathered = scene.gathered(incident)
        if is_stored:
            gathered = put_away(gathered)
        report, ranked, _ = await concluded(incident, gathered, tuple(scene.changes))
        sys.stdout.write(f"{report.model_dump_json()} {ranked.model_dump_json()}\n")


if __name__ == "__main__":
    asyncio.run(tell(is_stored=sys.argv[1:] == ["stored"]))
