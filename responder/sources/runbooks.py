"""The pages that say what an alert means and what to do: one Markdown file per alert."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator

from responder.guard import clean, line, mask_secrets
from responder.investigation.evidence import Evidence, Status
from responder.source import Finding, Question, sources
from toolkit.problem import fault
from toolkit.settings import ConfigPath, Settings

LONGEST_PAGE = 16_000
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


@sources.register("runbooks")
class RunbooksSource(Settings):
    """A folder of runbooks named like the alerts, `<AlertName>.md`."""

    folder: ConfigPath = Field(description="where the pages are")

    @field_validator("folder")
    @classmethod
    def _there(cls, value: Path, info: ValidationInfo) -> Path:
        # Made in code it may come into being later; in a file it is a slip of the pen.
        if info.context is not None and not value.is_dir():
            remedy = "correct it; a relative path counts from the configuration file's folder"
            raise fault(f"no folder at {value.absolute().resolve()}", remedy)
        return value

    async def gather(self, question: Question) -> Finding:
        """Read the pages of the incident's alerts; never raises."""
        names = dict.fromkeys(episode.alert.name for episode in question.incident.episodes)
        try:
            async with asyncio.timeout(question.deadline_seconds):
                found = await asyncio.to_thread(self._read, list(names), question)
        except TimeoutError:
            found = [_page(question, "runbooks", Status.UNAVAILABLE, detail="not read in time")]
        return Finding(evidence=found)

    def _read(self, names: list[str], question: Question) -> list[Evidence]:
        return [self._one(name, question) for name in names]

    def _one(self, name: str, question: Question) -> Evidence:
        # An alert's name comes from outside: only what cannot be a path is looked up.
        if not _NAME.fullmatch(name):
            return _page(question, name, Status.EMPTY, detail="no runbook can have this name")
        path = Path(self.folder) / f"{name}.md"
        try:
            with path.open("rb") as file:
                text = file.read(4 * LONGEST_PAGE).decode("utf-8", "replace")
        except FileNotFoundError:
            return _page(question, name, Status.EMPTY, detail="there is no page for this alert")
        except OSError as error:
            problem = f"the page cannot be read ({error.strerror})"
            return _page(question, name, Status.FAILED, detail=problem)
        page = mask_secrets(clean(text, LONGEST_PAGE))
        return _page(question, name, Status.OK, detail=page)


def _page(question: Question, name: str, status: Status, *, detail: str) -> Evidence:
    shown = line(name, 128)
    return Evidence(
        id="",
        source="runbooks",
        title=f"runbook {shown}",
        query=f"{shown}.md",
        window=question.window,
        status=status,
        facts={"alert": shown, "origin": "runbook"},
        detail=detail,
    )
