"""The changes that were announced before the onset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from responder.alert import Change
from responder.guard import line, mask_secrets
from responder.investigation.evidence import Evidence, Quantity, Status
from responder.investigation.tool import Bench, tools
from toolkit.settings import Settings

MOST_CHANGES = 20


@tools.register("list_changes")
class ListChanges(Settings):
    """List the deployments, flags and configuration changes announced, the newest first."""

    service: Annotated[str, Field(max_length=200, description="of this service alone")] = ""
    minutes_before: Annotated[int, Field(ge=1, le=1440, description="how far before the onset")] = (
        360
    )

    @classmethod
    def serves(cls, bench: Bench) -> bool:
        """Say whether any change is known."""
        return bool(bench.brief.changes)

    async def look(self, bench: Bench) -> Sequence[Evidence]:
        """List them."""
        begun = bench.brief.onset_at - 60.0 * self.minutes_before
        chosen = [
            each
            for each in bench.brief.changes
            if each.at >= begun and (not self.service or each.service == self.service)
        ]
        title = "announced changes, as the analyst asked for them"
        query = f"changes of {line(self.service, 200) or 'every service'}"
        if not chosen:
            detail = "none was announced"
            return [bench.made("changes", title, query, Status.EMPTY, detail=detail)]
        newest = sorted(chosen, key=lambda each: (-each.at, each.id))[:MOST_CHANGES]
        return [
            bench.made(
                "changes",
                title,
                query,
                Status.OK,
                facts={"origin": "changes"}
                | {f"change {n}": _words(each) for n, each in enumerate(newest, 1)},
                quantities=tuple(_when(each) for each in newest),
            )
        ]


def _words(change: Change) -> str:
    told = f"{change.kind} of {change.service}: {change.title} {change.version}"
    return mask_secrets(line(told, 300))


def _when(change: Change) -> Quantity:
    return Quantity(
        name="changed at",
        value=change.at,
        unit="timestamp",
        labels={"service": line(change.service, 200)},
        at=change.at,
    )
