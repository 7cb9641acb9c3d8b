"""What a report may hold: links on the list alone, no mention, no picture, nothing unseen."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from responder.guard import clean, mask_secrets
from responder.investigation.analyst import Brief

REMOVED = "<link removed>"

# With a scheme, or as chat and mail programs make links of: www., and a public name with a path.
_LINK = re.compile(
    r"(?:\b[a-z][a-z0-9+.-]{1,15}:)?//[^\s<>|]+"
    r"|\b(?:javascript|data|vbscript|file|mailto|tel|hxxps?):[^\s<>|]+"
    r"|\bwww\.[^\s<>|]+"
    r"|\b(?:[a-z0-9-]{1,63}\.)+(?:com|net|org|io|dev|app|ai|co|info|biz|xyz|ru|cn|tk|top|site|online"
    r"|link|click|zip|me|sh|gg|ly|invalid|example|test)\b(?:[/?#:][^\s<>|]*)?",
    re.IGNORECASE,
)
_MARKUP = re.compile(
    r"!\[|\]\(|<[!@#][^>]{0,200}>|</?[a-z][^>]{0,400}>|&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]{2,10});",
    re.IGNORECASE,
)
# What is left of a placeholder of ours is not markup.
_OURS = re.compile(r"<[a-z-]+#[0-9a-f]{6}>|<link removed>|<\*>|<[a-z]{1,12}>")
_MENTION = re.compile(r"(?<![\w.+-])@(?=[\w.-])")
_TRAILING = ".,;:!?)]}'\""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """The rules for one incident's report: its links, and the names that look like some."""

    links: frozenset[str]
    names: frozenset[str]

    @classmethod
    def of(cls, brief: Brief) -> Rules:
        """Allow the links that sources gave, and the names of what the incident is about."""
        links = {each.link for each in brief.evidence} | {each.link for each in brief.changes}
        names = {each.component or "" for each in brief.evidence} | {*brief.incident.targets}
        return cls(
            links=frozenset(
                each for each in links if each.lower().startswith(("http://", "https://"))
            ),
            names=frozenset(each.lower() for each in names if each),
        )

    def text(self, value: str, limit: int) -> str:
        """Write a text of a draft by the rules; it may come from a model that read hostile text."""
        seen = mask_secrets(clean(unicodedata.normalize("NFKC", clean(value, 2 * limit)), limit))
        linked = _LINK.sub(self._allowed, seen)
        plain = "".join(_unmarked(linked))
        return clean(_MENTION.sub("", plain), limit)

    def _allowed(self, found: re.Match[str]) -> str:
        whole = found.group()
        link = whole.rstrip(_TRAILING)
        if link in self.links or whole in self.links or link.lower() in self.names:
            return whole
        return REMOVED + whole[len(link) :]


def _unmarked(text: str) -> Iterator[str]:
    """Give a text's parts without markup; placeholders of ours stay."""
    end = 0
    for found in _OURS.finditer(text):
        yield _MARKUP.sub("", text[end : found.start()])
        yield found.group()
        end = found.end()
    yield _MARKUP.sub("", text[end:])
