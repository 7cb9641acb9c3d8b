"""A language model's canaries: prompts whose right answer is known."""

from __future__ import annotations

import secrets
from typing import Annotated

from pydantic import AfterValidator, Field

from exporter.check import Check, CheckField
from exporter.probe import KOfN, Question, Required
from exporter.target import Name, PromptKind
from toolkit.settings import Settings


class Canary(Settings):
    """One prompt whose right answer is known."""

    name: Name = Field(description="the label `canary`")
    prompt: str = Field(min_length=1, max_length=20_000, description="what is asked")
    checks: tuple[CheckField, ...] = Field((), description="what the answer must hold")
    required: KOfN = Field(Required(), description="k of n: right answers among the last runs")
    optional: bool = Field(False, description="under its k of n it only degrades the target")
    cold: bool = Field(False, description="begin the prompt anew each time, past prefix caches")

    def question(self, also: tuple[Check, ...], max_tokens: int) -> Question:
        """Return the canary as a question, the target's own checks included."""
        return Question(
            canary=self.name,
            text=self.prompt,
            checks=self.checks + also,
            required=self.required,
            optional=self.optional,
            prompt=PromptKind.COLD if self.cold else PromptKind.WARM,
            cost_tokens=len(self.prompt) // 4 + max_tokens,
        )


def prompt_of(question: Question) -> str:
    """Return what is sent: a cold prompt begins with what no cache has seen."""
    if question.prompt is PromptKind.COLD:
        return f"[{secrets.token_hex(8)}]\n{question.text}"
    return question.text


def _check_canaries(canaries: tuple[Canary, ...]) -> tuple[Canary, ...]:
    names = [canary.name for canary in canaries]
    if not names:
        raise ValueError("no canary; add one, or leave the setting out for the default")
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two canaries are named {name!r}; give each its own name")
    return canaries


Canaries = Annotated[tuple[Canary, ...], AfterValidator(_check_canaries)]
"""At least one, each of its own name."""

ALIVE = Canary(name="alive", prompt="Reply with the one word: ready")
"""What a target asks that has no canaries of its own."""
