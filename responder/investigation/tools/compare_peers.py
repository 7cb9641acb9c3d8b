"""The same metric of the others, beside the one in question."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from responder.investigation.evidence import Evidence, Frame, Quantity, Status
from responder.investigation.summary import moved
from responder.investigation.tool import Bench, tools
from toolkit.settings import Settings

MOST_PEERS = 12


@tools.register("compare_peers")
class ComparePeers(Settings):
    """Compare the metric behind one piece of evidence with the same metric of other components."""

    evidence: Annotated[str, Field(pattern=r"^E[0-9]{1,4}$", description="the evidence's id")]

    @classmethod
    def serves(cls, bench: Bench) -> bool:
        """Say whether there are series."""
        return bench.brief.frame is not None

    async def look(self, bench: Bench) -> Sequence[Evidence]:
        """Give what each of them did around the onset."""
        return [await asyncio.to_thread(self._look, bench)]

    def _look(self, bench: Bench) -> Evidence:
        about, frame = bench.evidence(self.evidence), bench.brief.frame
        query = f"peers of {self.evidence}"
        if about is None or frame is None:
            problem = "there is no evidence of this id"
            return bench.made("prometheus", query, query, Status.FAILED, detail=problem)
        kinds = {
            (each.get("__role__", ""), each.get("__unit__", ""))
            for each in frame.labels
            if each.get("__evidence__") == self.evidence
        }
        peers = _peers(frame, kinds, about.component or "")
        if peers is None:
            problem = "no other component has a series like it"
            return bench.made("prometheus", query, query, Status.EMPTY, detail=problem)
        return bench.made(
            "prometheus",
            f"{about.title}: the same of the others",
            query,
            Status.OK,
            quantities=_numbers(peers, bench.brief.onset_at),
            facts={"origin": about.facts.get("origin", about.source)},
        )


def _peers(frame: Frame, kinds: set[tuple[str, str]], owner: str) -> Frame | None:
    chosen = [
        index
        for index, each in enumerate(frame.labels)
        if (each.get("__role__", ""), each.get("__unit__", "")) in kinds
        and each.get("component") != owner
    ]
    if not chosen:
        return None
    labels = tuple(frame.labels[i] for i in chosen)
    return Frame(times=frame.times, values=frame.values[:, chosen], labels=labels)


def _numbers(frame: Frame, onset_at: float) -> tuple[Quantity, ...]:
    made: list[Quantity] = []
    for each in moved(frame, onset_at)[:MOST_PEERS]:
        own = {"component": each.component} if each.component else {}
        made += [
            one.model_copy(update={"labels": {**one.labels, **own}}) for one in each.quantities()
        ]
    return tuple(made)
