"""The pages that say what an alert means and what to do: one Markdown file per alert.

A folder of one's own is laid over the shipped one: a page in it takes the place of the shipped page
of the same alert, and alerts of one's own have theirs there.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from pydantic import Field, ValidationInfo, field_validator

from responder.guard import clean, line, mask_secrets
from responder.investigation.evidence import Evidence, Status
from responder.source import Finding, Question, sources
from toolkit.problem import fault
from toolkit.settings import ConfigPath, Settings

LONGEST_PAGE = 16_000
MOST_FAULTS = 10
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


@sources.register("runbooks")
class RunbooksSource(Settings):
    """A folder of runbooks named like the alerts, `<AlertName>.md`."""

    folder: ConfigPath = Field(description="where the pages are")
    own: ConfigPath | None = Field(None, description="pages of one's own, which come first")
    knows_past: ClassVar[bool] = True

    @field_validator("folder", "own")
    @classmethod
    def _there(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is None:
            return None
        # Made in code it may come into being later; in a file it is a slip of the pen.
        if info.context is not None and not value.is_dir():
            remedy = "correct it; a relative path counts from the configuration file's folder"
            raise fault(f"no folder at {value.absolute().resolve()}", remedy)
        return value

    @field_validator("own")
    @classmethod
    def _readable(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        """Refuse pages that would never be found, or that nobody could read when they are."""
        wrong = sorted(_faults(value)) if value is not None and info.context is not None else []
        if wrong:
            more = f", and {len(wrong) - MOST_FAULTS} more" if len(wrong) > MOST_FAULTS else ""
            remedy = "name each page <AlertName>.md, in UTF-8, and take out what is none"
            raise fault("; ".join(wrong[:MOST_FAULTS]) + more, remedy)
        return value

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where a page is looked for, one after the other."""
        return tuple(Path(each) for each in (self.own, self.folder) if each is not None)

    async def gather(self, question: Question) -> Finding:
        """Read the pages of the incident's alerts; never raises."""
        names = dict.fromkeys(episode.alert.name for episode in question.incident.episodes)
        try:
            async with asyncio.timeout(question.deadline_seconds):
                found = await asyncio.to_thread(self._read, list(names), question)
        except TimeoutError:
            found = [_page(question, "runbooks", Status.UNAVAILABLE, detail="not read in time")]
        return Finding(evidence=found)

    async def page(self, alert: str, question: Question) -> Evidence:
        """Read the page of any alert; never raises."""
        try:
            async with asyncio.timeout(question.deadline_seconds):
                return await asyncio.to_thread(self._one, alert, question)
        except TimeoutError:
            return _page(question, alert, Status.UNAVAILABLE, detail="not read in time")

    def _read(self, names: list[str], question: Question) -> list[Evidence]:
        return [self._one(name, question) for name in names]

    def _one(self, name: str, question: Question) -> Evidence:
        # An alert's name comes from outside: only what cannot be a path is looked up.
        if not _NAME.fullmatch(name):
            return _page(question, name, Status.EMPTY, detail="no runbook can have this name")
        for folder in self.folders:
            try:
                with (folder / f"{name}.md").open("rb") as file:
                    text = file.read(4 * LONGEST_PAGE).decode("utf-8", "replace")
            except FileNotFoundError:
                continue
            except OSError as error:
                # The page beneath it is not told in its stead: somebody meant it not to be.
                problem = f"the page cannot be read ({error.strerror})"
                return _page(question, name, Status.FAILED, detail=problem)
            page = mask_secrets(clean(text, LONGEST_PAGE))
            return _page(question, name, Status.OK, detail=page)
        return _page(question, name, Status.EMPTY, detail="there is no page for this alert")


def _faults(folder: Path) -> Iterator[str]:
    """Say what is wrong with each page of a folder; other files and folders are left alone."""
    for path in folder.glob("*.md"):
        shown = line(path.name, 100)
        if path.name.lower() == "readme.md":
            continue
        if not _NAME.fullmatch(path.stem):
            yield f"{shown} is named like no alert"
            continue
        try:
            text = path.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            yield f"{shown} is not UTF-8"
        except OSError as error:
            yield f"{shown} cannot be read ({error.strerror})"
        else:
            if not text.strip():
                yield f"{shown} is empty"


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
