"""The page of an alert, of this incident or another, whole or by one of its headings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from responder.guard import clean, line, mask_secrets
from responder.investigation.evidence import Evidence, Status
from responder.investigation.tool import Bench, tools
from toolkit.settings import Settings

LONGEST_PAGE = 6000


@tools.register("read_runbook")
class ReadRunbook(Settings):
    """Read the runbook of an alert by its name, whole or the part under one heading."""

    alert: Annotated[str, Field(min_length=1, max_length=128)]
    heading: Annotated[
        str, Field(max_length=100, description="such as Diagnosis; empty for the whole page")
    ] = ""

    @classmethod
    def serves(cls, bench: Bench) -> bool:
        """Say whether there is any page."""
        return bool(bench.brief.runbooks) or bench.pages is not None

    async def look(self, bench: Bench) -> Sequence[Evidence]:
        """Read it."""
        page = await self._page(bench)
        if page.status is not Status.OK or not self.heading:
            return [page]
        text = under(page.detail, self.heading)
        if not text:
            problem = "the page has no such heading"
            return [page.model_copy(update={"status": Status.EMPTY, "detail": problem})]
        return [page.model_copy(update={"detail": text})]

    async def _page(self, bench: Bench) -> Evidence:
        """Take it from the brief, else from the source that has every page."""
        text = bench.brief.runbooks.get(self.alert)
        if text is None and bench.pages is not None:
            return await bench.pages.page(self.alert, bench.question)
        name = line(self.alert, 128)
        detail = f"there is none; there are {line(', '.join(bench.brief.runbooks), 300)}"
        return bench.made(
            "runbooks",
            f"runbook {name}",
            f"{name}.md",
            Status.EMPTY if text is None else Status.OK,
            detail=detail if text is None else mask_secrets(clean(text, LONGEST_PAGE)),
            facts={"alert": name, "origin": "runbook"},
        )


def under(page: str, heading: str) -> str:
    """Give what stands under a heading, up to the next one of its rank or above."""
    wanted, rank, kept = heading.strip("# ").lower(), 0, list[str]()
    for text in page.splitlines():
        level = len(text) - len(text.lstrip("#"))
        if level and rank and level <= rank:
            break
        if level and not rank and text.strip("# ").lower() == wanted:
            rank = level
        if rank:
            kept.append(text)
    return "\n".join(kept)
