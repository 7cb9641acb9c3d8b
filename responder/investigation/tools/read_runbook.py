"""The page of an alert, whole or by one of its headings."""

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
    """Read the runbook of an alert of this incident, whole or the part under one heading."""

    alert: Annotated[str, Field(min_length=1, max_length=128)]
    heading: Annotated[
        str, Field(max_length=100, description="such as Diagnosis; empty for the whole page")
    ] = ""

    @classmethod
    def serves(cls, bench: Bench) -> bool:
        """Say whether there is any page."""
        return bool(bench.brief.runbooks)

    async def look(self, bench: Bench) -> Sequence[Evidence]:
        """Read it."""
        name = line(self.alert, 128)
        title, page = f"runbook {name}", bench.brief.runbooks.get(self.alert)
        facts = {"alert": name, "origin": "runbook"}
        if page is None:
            detail = f"there is none; there are {line(', '.join(bench.brief.runbooks), 300)}"
            return [bench.made("runbooks", title, f"{name}.md", Status.EMPTY, detail=detail)]
        text = under(page, self.heading) if self.heading else page
        if not text:
            detail = "the page has no such heading"
            return [bench.made("runbooks", title, f"{name}.md", Status.EMPTY, detail=detail)]
        shown = mask_secrets(clean(text, LONGEST_PAGE))
        return [bench.made("runbooks", title, f"{name}.md", Status.OK, detail=shown, facts=facts)]


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
