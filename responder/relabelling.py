"""What Prometheus makes of an alert's labels on the way to Alertmanager.

External labels first, then `alerting.alert_relabel_configs` (docs: configuration, relabel_config).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from responder.routes import UnsureError

_REFERENCE = re.compile(r"\$(?:\{(\w+)\}|(\w+)|(\$))")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rewriting:
    """The labels that are added, and the steps that follow."""

    external: Mapping[str, str]
    steps: tuple[Mapping[str, Any], ...]

    def apply(self, labels: Mapping[str, str]) -> dict[str, str] | None:
        """Give the labels as they arrive, None for an alert that is not sent; raises UnsureError.

        Labels that are empty do not arrive.
        """
        found = {name: value for name, value in self.external.items() if value}
        found |= {name: value for name, value in labels.items() if value}
        for step in self.steps:
            if not _take(step, found):
                return None
        return {name: value for name, value in found.items() if value}


def read_rewriting(configuration: str) -> Rewriting:
    """Read it out of a configuration as /api/v1/status/config shows it; raises UnsureError."""
    try:
        document = yaml.safe_load(configuration) or {}
        alerting = document.get("alerting") or {}
        external = (document.get("global") or {}).get("external_labels") or {}
        senders = alerting.get("alertmanagers") or ()
        if any(each.get("alert_relabel_configs") for each in senders):
            raise UnsureError("each Alertmanager is sent labels of its own")
        return Rewriting(
            external={str(name): str(value) for name, value in external.items()},
            steps=tuple(alerting.get("alert_relabel_configs") or ()),
        )
    except (yaml.YAMLError, TypeError, AttributeError, ValueError) as error:
        raise UnsureError(f"Prometheus's configuration: {type(error).__name__}") from None


def _take(step: Mapping[str, Any], labels: dict[str, str]) -> bool:
    """Change the labels by one step; tell whether the alert is still sent."""
    try:
        action = str(step.get("action", "replace")).lower()
        regex = re.compile(str(step.get("regex", "(.*)")), re.DOTALL)
        names = step.get("source_labels") or ()
        value = str(step.get("separator", ";")).join(labels.get(name, "") for name in names)
    except (re.error, TypeError, AttributeError) as error:
        raise UnsureError(f"relabelling: {type(error).__name__}") from None
    found = regex.fullmatch(value)
    if action in {"keep", "drop"}:
        return (found is not None) is (action == "keep")
    if action in {"labeldrop", "labelkeep"}:
        goes = [n for n in labels if (regex.fullmatch(n) is not None) is (action == "labeldrop")]
        for name in goes:
            del labels[name]
    elif action == "replace":
        if found is not None:
            _replace(step, labels, found)
    else:
        raise UnsureError(f"relabelling: {action[:20]} is not followed here")
    return True


def _replace(step: Mapping[str, Any], labels: dict[str, str], found: re.Match[str]) -> None:
    target = _expanded(str(step.get("target_label", "")), found)
    labels[target] = _expanded(str(step.get("replacement", "$1")), found)


def _expanded(template: str, found: re.Match[str]) -> str:
    def group(reference: re.Match[str]) -> str:
        name = reference[1] or reference[2]
        if name is None:
            return "$"
        try:
            return found[int(name) if name.isdigit() else name] or ""
        except IndexError:
            return ""

    return _REFERENCE.sub(group, template)
