"""Messages in Block Kit, within its limits; what comes from outside can make no mark-up.

Limits: https://docs.slack.dev/reference/block-kit/blocks/ (50 blocks, 150 characters a header,
3,000 a section's text, 10 elements a context). The undocumented bound of all blocks together,
about 13,200 characters: https://github.com/slackapi/bolt-js/issues/2509.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from responder import digest
from responder.channel import Message
from responder.digest import fit
from responder.investigation.report import Report
from responder.investigation.wording import clock

Block = dict[str, Any]

LONGEST_HEADER = 150
LONGEST_SECTION = 3000
LONGEST_TEXT = 3500
MOST_BLOCKS = 50
MOST_CHARACTERS = 12_000
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_MOST_CAUSES = 5
_LONGEST_LINE = 300


def escape(text: str, limit: int) -> str:
    """Write *text* so that Slack shows it as it is, in at most *limit* characters.

    With `<` escaped nothing can be a mention or a link, `<!channel>` neither:
    https://docs.slack.dev/messaging/formatting-message-text#escaping.
    """
    parts: list[str] = []
    room = limit
    for character in fit(text, limit):
        part = _ENTITIES.get(character, character)
        if len(part) > room - 1:
            return "".join(parts) + "…"
        parts.append(part)
        room -= len(part)
    return "".join(parts)


def link(url: str, label: str) -> str:
    """Write a link to an address of our own."""
    safe = url.replace("&", "&amp;").replace("<", "%3C").replace(">", "%3E").replace("|", "%7C")
    return f"<{safe}|{escape(label, _LONGEST_LINE)}>"


def fallback(message: Message) -> str:
    """Give the whole in a few lines of text, for notifications and where no block is taken."""
    report = message.report
    rows = (digest.title(message), digest.what(message), digest.why(report), digest.todo(report))
    return "\n".join((*(escape(row, 600) for row in rows), link(message.page_url, "Incident")))


def overview(message: Message) -> list[Block]:
    """Give the message itself: three lines, the causes, and where to read on."""
    report = message.report
    first = (
        f"*What:* {escape(digest.what(message), 600)}",
        f"*Cause:* {escape(digest.why(report), 600)}",
        f"*Do:* {escape(digest.todo(report), 600)}",
    )
    found = [_header(digest.title(message, LONGEST_HEADER)), _section("\n".join(first))]
    if len(report.causes) > 1:
        others = report.causes[1:_MOST_CAUSES]
        rows = [f"{n}. {escape(digest.named(each), 300)}" for n, each in enumerate(others, 2)]
        if len(report.causes) > _MOST_CAUSES:
            rows.append(f"and {len(report.causes) - _MOST_CAUSES} more")
        found.append(_section("*Other causes*\n" + "\n".join(rows)))
    return [*found, _context(_footer(message))]


def _footer(message: Message) -> Iterator[str]:
    yield link(message.page_url, "Open the incident")
    decision = message.report.decision
    yield f"Decision: {escape(decision.kind.value, 50)}"
    if message.note:
        yield escape(message.note, _LONGEST_LINE)


def details(message: Message) -> list[Block]:
    """Give what goes into the thread: impact, timeline, evidence, coverage."""
    report = digest.shortened(message.report)
    found = [
        block
        for name, rows in _chapters(report)
        for block in [_chapter(name, list(rows))]
        if block is not None
    ]
    return _bounded(found, _context([link(message.page_url, "All of it on the incident's page")]))


def note(message: Message) -> list[Block]:
    """Give what is said in the thread about something new."""
    text = message.note or digest.what(message)
    return [_section(f"*{escape(digest.title(message), 600)}*\n{escape(text, 1000)}")]


def _chapters(report: Report) -> Iterator[tuple[str, Iterable[str]]]:
    yield "What is known", (_cited(each.text, each.evidence) for each in report.summary)
    first = report.causes[:1]
    claims = (claim for cause in first for claim in cause.claims)
    yield "First cause", (_cited(each.text, each.evidence) for each in claims)
    yield "Timeline (UTC)", (f"{clock(each.at)} {fit(each.text)}" for each in report.timeline)
    yield "Checked against", (_cited(each.text, each.evidence) for each in report.ruled_out)
    yield "Unverified", (each.text for each in report.unverified)
    yield "Coverage", (f"{e.status.value}: {e.source}: {e.title}" for e in report.coverage)
    yield "Notes", report.notes


def _cited(text: str, evidence: tuple[str, ...]) -> str:
    return f"{fit(text)} [{', '.join(evidence[:5])}]"


def _chapter(name: str, rows: list[str]) -> Block | None:
    if not rows:
        return None
    shown, room = [f"*{name}*"], LONGEST_SECTION // 2
    for number, row in enumerate(rows):
        text = f"• {escape(row, _LONGEST_LINE)}"
        if len(text) + 1 > room:
            shown.append(f"and {len(rows) - number} more")
            break
        shown.append(text)
        room -= len(text) + 1
    return _section("\n".join(shown))


def _bounded(blocks: list[Block], last: Block) -> list[Block]:
    """Keep as many blocks as Slack takes, and always the last."""
    kept: list[Block] = []
    room = MOST_CHARACTERS - _size(last)
    for block in blocks[: MOST_BLOCKS - 1]:
        room -= _size(block)
        if room < 0:
            break
        kept.append(block)
    return [*kept, last]


def _size(block: Block) -> int:
    return len(orjson.dumps(block).decode())


def _header(text: str) -> Block:
    # Plain text takes no entities, and should make no mentions; without these it cannot.
    safe = text.replace("<", "\u2039").replace(">", "\u203a")
    shown = {"type": "plain_text", "text": safe or "Incident", "emoji": False}
    return {"type": "header", "text": shown}


def _section(text: str) -> Block:
    return {"type": "section", "text": _mrkdwn(text[:LONGEST_SECTION])}


def _context(texts: Iterable[str]) -> Block:
    return {"type": "context", "elements": [_mrkdwn(text) for text in texts]}


def _mrkdwn(text: str) -> Block:
    # Verbatim: Slack makes no links, channels or mentions out of words by itself.
    return {"type": "mrkdwn", "text": text, "verbatim": True}
