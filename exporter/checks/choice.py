"""The answer names one of a set."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from exporter.check import EXAMINED_CHARACTERS, checks, failed, passed
from exporter.target import CheckResult, Observation
from toolkit.settings import Settings

Option = Annotated[str, Field(min_length=1, max_length=200)]


@checks.register("choice")
class Choice(Settings):
    """The answer names exactly one of these options as whole words, and the right one."""

    options: tuple[Option, ...] = Field(
        min_length=1, max_length=50, description="what may be named, e.g. [yes, no]"
    )
    right: str | None = Field(None, description="the option that must be named, any when left out")
    ignore_case: bool = Field(True, description="whether capitals may differ")

    @model_validator(mode="after")
    def _one_of_them(self) -> Choice:
        if self.right is not None and self.right not in self.options:
            raise ValueError("`right` is none of the options; write it as it stands there")
        if len({self._plain(option) for option in self.options}) < len(self.options):
            raise ValueError("an option stands twice; name each once")
        return self

    def examine(self, observation: Observation) -> CheckResult:
        """Find the options that are named, the longest first."""
        text = self._plain(observation.answer[:EXAMINED_CHARACTERS])
        named = []
        for option in sorted(self.options, key=len, reverse=True):
            without = _without(text, self._plain(option))
            if without != text:
                # New York is not York as well.
                named.append(option)
                text = without
        if len(named) != 1:
            return failed("choice", f"{len(named)} of the options are in the answer")
        if self.right is not None and named[0] != self.right:
            return failed("choice", "the answer names another option")
        return passed("choice")

    def _plain(self, text: str) -> str:
        return text.casefold() if self.ignore_case else text


def _without(text: str, option: str) -> str:
    """Return the text without the option where it stands as whole words."""
    parts: list[str] = []
    begin = 0
    while (at := text.find(option, begin)) >= 0:
        end = at + len(option)
        if _goes_on(text, at) or _goes_on(text, end):
            parts.append(text[begin : at + 1])
            begin = at + 1
        else:
            parts.append(text[begin:at] + "\0")
            begin = end
    return "".join([*parts, text[begin:]])


def _goes_on(text: str, at: int) -> bool:
    """Say whether a word goes on over this place."""
    return 0 < at < len(text) and _is_word(text[at - 1]) and _is_word(text[at])


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"
