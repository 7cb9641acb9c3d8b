"""What the stand-in's personas read of a prompt, and write whatever it is."""

from __future__ import annotations

import json

import pytest

from lab.mistral.liars import WRITERS
from lab.mistral.personas import KINDS, honest
from lab.mistral.reading import prompt
from responder.investigation.evidence import CauseKind
from responder.investigation.prompt import read


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize(
    "text",
    [
        "no blocks",
        "<suspects>\n</suspects>\n<evidence>\nnot JSON\n[1]\n</evidence>",
        (
            '<incident>\n{"alerts": 3}\n</incident>\n<suspects>\n{"rank": "x", "supporting": [1]}\n'
            '{"component": 7}\n</suspects>\n<evidence>\n{"id": 1, "quantities": [{}, 2]}\n'
            '{"id": "E1", "facts": [], "quantities": [{"value": NaN}]}\n</evidence>\n'
            '<runbooks>\n{"name": null}\n</runbooks>'
        ),
    ],
)
def test_any_prompt_gets_a_report_that_has_the_form(name: str, text: str) -> None:
    """Blocks that are missing or broken are passed over, and the report still can be read."""
    assert read(WRITERS[name](prompt(text))).causes


def test_runbook_steps_are_the_items_under_mitigation() -> None:
    """Lines that go on are joined; what stands under other headings is no step."""
    page = "## Checks\n- Look.\n\n## Mitigation\n\n- Roll back,\n  then wait.\n1. Scale.\n# X\n- x"
    line = json.dumps({"name": "R", "text": page})
    actions = honest(prompt(f"<runbooks>\n{line}\n</runbooks>"))["actions"]
    assert [each["text"] for each in actions] == ["Roll back, then wait.", "Scale."]


def test_the_closed_set_of_kinds_is_the_responders() -> None:
    """The obedient persona knows every kind of cause that a report may name."""
    assert set(KINDS) == set(CauseKind) - {CauseKind.UNKNOWN}
