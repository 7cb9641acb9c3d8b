"""The compose file: valid, hardened, pinned, and of one piece with the files it mounts."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.deploy.shipped import COMPOSE, ROOT, compose, instructions, names, services, variables

_ADDRESS = re.compile(r"(?<![\w.])([a-z][a-z0-9-]*):(\d{4,5})(?!\d)")
_TAG = re.compile(r"[\w./-]+:v?\d+\.\d+\.\d+")


def _binds() -> list[tuple[str, list[str]]]:
    """List every bind mount, with its service."""
    return [
        (name, parts)
        for name, service in services().items()
        for volume in service["volumes"]
        if (parts := volume.split(":"))[0].startswith(".")
    ]


def _run_as(service: dict[str, str]) -> list[str]:
    return str(service["user"]).split(":")


def test_compose_file_is_valid() -> None:
    """The compose specification's schema takes the file."""
    checker = Path(sys.executable).parent / "check-jsonschema"
    done = subprocess.run(
        [checker, "--builtin-schema", "vendor.compose-spec", COMPOSE],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", services())
def test_service_is_hardened(name: str) -> None:
    """A service writes to its volumes alone, has no privilege, gains none, and is not root."""
    service = services()[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert int(_run_as(service)[0]) > 0


@pytest.mark.parametrize("name", services())
def test_service_has_a_pinned_image(name: str) -> None:
    """An image is named with its whole version."""
    assert _TAG.fullmatch(services()[name]["image"])


@pytest.mark.parametrize("name", services())
def test_service_has_a_health_check(name: str) -> None:
    """Every service tells whether it is well: by compose, or by its image."""
    service = services()[name]

    assert "healthcheck" in service or instructions(service["build"]["target"])["HEALTHCHECK"]


@pytest.mark.parametrize("name", services())
def test_service_is_published_where_the_user_says(name: str) -> None:
    """Ports are on loopback unless VIGIE_BIND says otherwise."""
    text = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))

    for port in text["services"][name]["ports"]:
        assert port.startswith("${VIGIE_BIND:-127.0.0.1}:")


@pytest.mark.parametrize(("name", "parts"), _binds())
def test_mounted_files_exist_and_cannot_be_written(name: str, parts: list[str]) -> None:
    """What is mounted from the checkout is there, and is read only."""
    assert (ROOT / parts[0]).exists(), name
    assert parts[2:] == ["ro"]


def test_volumes_and_secrets_are_those_declared() -> None:
    """Services use the volumes and secrets of the file, all of them, and no others."""
    used = {
        volume.split(":")[0]
        for service in services().values()
        for volume in service["volumes"]
        if not volume.startswith(".")
    }
    told = {secret for service in services().values() for secret in service.get("secrets", ())}

    assert used == set(compose()["volumes"])
    assert told == set(compose()["secrets"])
    assert all(set(secret) == {"file"} for secret in compose()["secrets"].values())


def test_no_secret_is_in_an_environment() -> None:
    """A variable of a service holds a setting, never a key or a password."""
    for service in services().values():
        for variable in service.get("environment", {}):
            assert not re.search(r"KEY|TOKEN|SECRET|PASSWORD$", variable)


def test_example_environment_has_the_variables_and_their_defaults() -> None:
    """.env.example shows each variable of the compose file with the value it has without one."""
    text = (ROOT / ".env.example").read_text(encoding="utf-8")

    assert dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE)) == variables()


@pytest.mark.parametrize(
    "path",
    [
        "lab/exporter.yml",
        "lab/responder.yml",
        "lab/targets.yml",
        "deploy/responder-mistral.yml",
        "rules/prometheus.yml",
        "rules/alertmanager.yml",
        "grafana/provisioning/datasources/prometheus.yml",
        "docker-compose.yml",
    ],
)
def test_addresses_are_names_of_services(path: str) -> None:
    """Every host:port that a mounted file names is a service of the compose file, or its alias."""
    text = (ROOT / path).read_text(encoding="utf-8")
    written = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    hosts = {host for host, _ in _ADDRESS.findall(written)}

    assert hosts <= names() | {"localhost"}


def test_mistral_configuration_is_the_lab_s_with_another_analyst() -> None:
    """The configuration that asks Mistral has the lab's topology, sources and channels."""
    lab = yaml.safe_load((ROOT / "lab" / "responder.yml").read_text(encoding="utf-8"))
    mistral = yaml.safe_load(
        (ROOT / "deploy" / "responder-mistral.yml").read_text(encoding="utf-8")
    )
    analyst = mistral.pop("analyst")
    shared = ("external_url", "topology", "sources", "channels")

    assert {key: mistral[key] for key in shared} == {key: lab[key] for key in shared}
    assert analyst["kind"] == "mistral"
    assert analyst["api_key"] == {"file": "/run/secrets/mistral_api_key"}
