"""The compose file and the Dockerfile, read; and a service's files laid out outside a container."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab.stack.scale import map_addresses

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
_VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")

Service = dict[str, Any]


def compose() -> dict[str, Any]:
    """Read the compose file, its variables at their defaults."""
    text = _VARIABLE.sub(lambda match: match[2], COMPOSE.read_text(encoding="utf-8"))
    read: dict[str, Any] = yaml.safe_load(text)
    return read


def services() -> dict[str, Service]:
    """Read the services by name."""
    found: dict[str, Service] = compose()["services"]
    return found


def variables() -> dict[str, str]:
    """Find the variables of the compose file, with their defaults."""
    return dict(_VARIABLE.findall(COMPOSE.read_text(encoding="utf-8")))


def names() -> set[str]:
    """Find every name by which one service reaches another."""
    found = set(services())
    for service in services().values():
        networks = service.get("networks", {})
        found |= {alias for network in networks.values() for alias in network["aliases"]}
    return found


def instructions(target: str) -> dict[str, list[str]]:
    """Read the Dockerfile's stage of this name: arguments by instruction, JSON ones decoded."""
    text = DOCKERFILE.read_text(encoding="utf-8").replace("\\\n", " ")
    stage = re.split(r"^FROM ", text, flags=re.MULTILINE)
    lines = next(part for part in stage if part.split("\n")[0].endswith(f" AS {target}"))
    found: dict[str, list[str]] = {}
    for line in lines.splitlines()[1:]:
        name, _, rest = line.partition(" ")
        if name in {"ENTRYPOINT", "CMD"}:
            found[name] = json.loads(rest)
        elif name in {"HEALTHCHECK", "EXPOSE"}:
            found[name] = rest.split()
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Where the services' files are laid out on this machine, and where their addresses are."""

    folder: Path
    addresses: Mapping[str, str]

    def lay(self, name: str) -> None:
        """Copy what the service mounts; volumes are folders that services share."""
        for source, target in (volume.split(":")[:2] for volume in services()[name]["volumes"]):
            place = self.place(name, target)
            place.parent.mkdir(parents=True, exist_ok=True)
            if not source.startswith("."):
                shared = self.folder / "volumes" / source
                shared.mkdir(parents=True, exist_ok=True)
                place.symlink_to(shared)
            elif (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, place)
            else:
                text = (ROOT / source).read_text(encoding="utf-8")
                place.write_text(map_addresses(text, self.addresses), encoding="utf-8")

    def place(self, name: str, path: str) -> Path:
        """Find where a path of the service's container is on this machine."""
        return self.folder / name / path.lstrip("/")

    def arguments(self, name: str) -> list[str]:
        """Give the service's command with its paths and addresses as they are here."""
        return [self._here(name, argument) for argument in services()[name]["command"]]

    def _here(self, name: str, argument: str) -> str:
        flag, equals, value = argument.partition("=")
        if value.startswith("/"):
            value = str(self.place(name, value))
        elif re.fullmatch(r":\d+", value):
            value = self.addresses[f"{name}{value}"]
        else:
            value = map_addresses(value, self.addresses)
        return f"{flag}{equals}{value}"
