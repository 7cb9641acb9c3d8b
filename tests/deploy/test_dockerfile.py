"""The Dockerfile: clean, pinned, and in step with the package and its lock files."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.deploy.shipped import DOCKERFILE, ROOT, instructions, services

_TARGETS = ("exporter", "responder", "lab")


def _text() -> str:
    return DOCKERFILE.read_text(encoding="utf-8")


def _build_requirements(text: str) -> str:
    """Cut the entry of setuptools, its hashes included, out of a lock file."""
    found = re.search(r"^setuptools==.*?\n(?=    # via|\S|\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[0].replace("\\\n", "").strip()


def test_hadolint_is_content() -> None:
    """The linter of Dockerfiles finds nothing."""
    linter = Path(sys.executable).parent / "hadolint"
    done = subprocess.run(
        [linter, DOCKERFILE], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stdout


def test_base_image_is_one_and_pinned() -> None:
    """All stages start from one Python image, named with its whole version."""
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", _text(), re.MULTILINE))
    images = set(re.findall(r"^FROM (\S+) AS", _text(), re.MULTILINE)) - stages

    assert len(images) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+", images.pop())


def test_packages_are_installed_by_hash() -> None:
    """What comes from an index is checked against a lock file's hashes."""
    for line in re.findall(r"pip install ([^\n\\&]*)", _text()):
        assert "--require-hashes" in line or "--no-index" in line


def test_build_lock_is_the_development_lock_s() -> None:
    """What builds the package is the version that developers build it with."""
    own = (ROOT / "deploy" / "requirements-build.lock").read_text(encoding="utf-8")
    development = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8")

    assert _build_requirements(own) == _build_requirements(development)


def test_copied_files_are_let_through() -> None:
    """What the image is built from is named in .dockerignore, which keeps all else out."""
    allowed = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copies = re.findall(r"^COPY (?!--from)(.*) \S+$", _text(), re.MULTILINE)
    sources = {source for line in copies for source in line.split()}

    assert "*" in allowed
    assert {f"!{source}" for source in sources} == {line for line in allowed if line[0] == "!"}
    assert all((ROOT / source).exists() for source in sources)


@pytest.mark.parametrize("target", _TARGETS)
def test_target_starts_a_program_of_the_package(target: str) -> None:
    """An image starts a script of the package, or one of its modules."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    entry = instructions(target)["ENTRYPOINT"]

    assert entry[0] in project["scripts"] or entry == ["python", "-m", target]


@pytest.mark.parametrize("target", _TARGETS)
def test_health_check_asks_the_port_that_is_listened_on(target: str) -> None:
    """The image's check asks an address that compose publishes."""
    asked = re.findall(r"127\.0\.0\.1:(\d+)/", " ".join(instructions(target)["HEALTHCHECK"]))
    published = [port.split(":")[-1] for port in services()[target]["ports"]]

    assert asked == published


def test_image_is_labelled_with_the_package_s_own_words() -> None:
    """Title, description, licence and version are those of the package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', _text()))

    assert labels["description"] == project["description"]
    assert labels["licenses"] == project["license"]
    assert labels["version"] == project["version"]
    assert all(
        service["image"].endswith(f":{project['version']}")
        for service in services().values()
        if "build" in service
    )
