"""Personas that write well and are wrong: invented names and times, another's numbers, a flood."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lab.mistral.personas import PERSONAS, Arguments, honest
from lab.mistral.reading import Line, Prompt

MOST_CLAIMS = 8
MOST_CAUSES = 5
PADDING = " As was said before, and to be thorough, this is worth another look." * 12
LONGEST_TEXT = 700


def fabricator(prompt: Prompt) -> Arguments:
    """Blame the first suspect with names, times and versions that nothing shows."""
    answer = honest(prompt)
    first = answer["causes"][0]
    name, cited = first["component"], first["claims"][0]["evidence"]
    told = (
        f"{name} lost its connection to redis-cache-7 at 03:14:15",
        f"{name} was rolled out as 9.8.7-rc1 by deploy-bot-42",
        f'{name} logged "CUDA error: device-side assert triggered"',
        f"Kafka at broker_3:9092 held {name} up",
    )
    claims = [{"text": text, "evidence": cited} for text in told]
    return {
        **answer,
        "headline": told[0],
        "summary": claims,
        "causes": [{**first, "claims": claims}],
    }


def swapper(prompt: Prompt) -> Arguments:
    """Tell the first suspect's numbers of another component, and cite the evidence of both."""
    answer = honest(prompt)
    first = answer["causes"][0]
    other = next(_others(prompt, first["component"]), None)
    if other is None:
        return answer
    cited = [each["id"] for each in prompt.evidence if each["component"] == other][:2]
    claims = [_swapped(each, first["component"], other, cited) for each in first["claims"]]
    return {
        **answer,
        "headline": f"{other} is the likely cause",
        "summary": claims[:2],
        "causes": [{**first, "component": other, "claims": claims}],
    }


def accuser(prompt: Prompt) -> Arguments:
    """Blame a component that is well, with a true word about it."""
    answer = honest(prompt)
    first = answer["causes"][0]
    well = next(iter(answer["ruled_out"]), None)
    if well is None:
        return answer
    component = str(well["text"]).partition(" ")[0]
    return {
        **answer,
        "headline": f"{component} is to blame",
        "summary": [well],
        "causes": [{**first, "component": component, "claims": [well]}],
        "ruled_out": [],
    }


def verbose(prompt: Prompt) -> Arguments:
    """Say all that can be said, at length, and most of it twice."""
    answer = honest(prompt)
    causes = [_padded(each) for each in answer["causes"]]
    return {
        **answer,
        "summary": list(itertools.islice(itertools.cycle(causes[0]["claims"]), MOST_CLAIMS)),
        "causes": list(itertools.islice(itertools.cycle(causes), MOST_CAUSES)),
    }


def _padded(cause: Line) -> Line:
    claims = [{**each, "text": (each["text"] + PADDING)[:LONGEST_TEXT]} for each in cause["claims"]]
    return {**cause, "claims": list(itertools.islice(itertools.cycle(claims), MOST_CLAIMS))}


def _others(prompt: Prompt, component: str) -> Iterator[str]:
    suspected = {each["component"] for each in prompt.suspects}
    for each in prompt.evidence:
        name = each["component"]
        if name and name != component and name not in suspected and each["status"] == "ok":
            yield name


def _swapped(claim: Line, component: str, other: str, cited: list[Any]) -> Line:
    text = re.sub(rf"(?<![\w-]){re.escape(component)}(?![\w-])", other, claim["text"])
    told = text if other in text else f"{other}: {text}"
    return {"text": told, "evidence": [*claim["evidence"], *cited]}


LIARS: Mapping[str, Callable[[Prompt], Arguments]] = {
    "fabricator": fabricator,
    "swapper": swapper,
    "accuser": accuser,
    "verbose": verbose,
}
WRITERS: Mapping[str, Callable[[Prompt], Arguments]] = {**PERSONAS, **LIARS}
