"""The little Markdown that runbooks use, as HTML in which every text is escaped."""

from __future__ import annotations

import re
from collections.abc import Callable

from markupsafe import Markup, escape

_HEADING = re.compile(r"(#{1,4})\s+(.*)")
_BULLET = re.compile(r"\s*[-*]\s+(.*)")
_NUMBERED = re.compile(r"\s*\d{1,3}[.)]\s+(.*)")
_FENCE = "```"
_INLINE = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\((https?://[^\s)]+)\)")


def render(text: str) -> Markup:
    """Give headings, paragraphs, lists, fenced code, `code`, **strong** and web links as HTML."""
    lines = text.splitlines()
    parts: list[Markup] = []
    while lines:
        parts.append(_block(lines))
    return Markup("\n").join(part for part in parts if part)


def _block(lines: list[str]) -> Markup:
    line = lines.pop(0)
    if not line.strip():
        return Markup()
    if line.lstrip().startswith(_FENCE):
        return _code(lines)
    heading = _HEADING.match(line)
    if heading:
        level = len(heading[1])
        return Markup("<h{0}>{1}</h{0}>").format(level, _inline(heading[2]))
    for pattern, tag in ((_BULLET, "ul"), (_NUMBERED, "ol")):
        if pattern.match(line):
            return _list([line, *_while(lines, _is_in_list(pattern))], pattern, tag)
    return Markup("<p>{}</p>").format(_inline(" ".join([line, *_while(lines, _is_prose)])))


def _code(lines: list[str]) -> Markup:
    code = _while(lines, lambda line: not line.lstrip().startswith(_FENCE))
    if lines:
        lines.pop(0)
    return Markup("<pre><code>{}</code></pre>").format("\n".join(code))


def _list(lines: list[str], pattern: re.Pattern[str], tag: str) -> Markup:
    items: list[str] = []
    for line in lines:
        found = pattern.match(line)
        if found:
            items.append(found[1])
        else:
            items[-1] += f" {line.strip()}"
    inner = Markup().join(Markup("<li>{}</li>").format(_inline(item)) for item in items)
    whole = Markup("<ol>{}</ol>") if tag == "ol" else Markup("<ul>{}</ul>")
    return whole.format(inner)


def _while(lines: list[str], is_part: Callable[[str], bool]) -> list[str]:
    taken: list[str] = []
    while lines and is_part(lines[0]):
        taken.append(lines.pop(0))
    return taken


def _is_in_list(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda line: (
        bool(line.strip()) and (bool(pattern.match(line)) or line.startswith((" ", "\t")))
    )


def _is_prose(line: str) -> bool:
    begins_other = _HEADING.match(line) or _BULLET.match(line) or _NUMBERED.match(line)
    return bool(line.strip()) and not begins_other and not line.lstrip().startswith(_FENCE)


def _inline(text: str) -> Markup:
    parts: list[Markup] = []
    end = 0
    for found in _INLINE.finditer(text):
        parts.append(escape(text[end : found.start()]))
        parts.append(_marked(found))
        end = found.end()
    parts.append(escape(text[end:]))
    return Markup().join(parts)


def _marked(found: re.Match[str]) -> Markup:
    code, strong, label, link = found.groups()
    if code is not None:
        return Markup("<code>{}</code>").format(code)
    if strong is not None:
        return Markup("<strong>{}</strong>").format(strong)
    return Markup('<a href="{}" rel="noreferrer">{}</a>').format(link, label)
