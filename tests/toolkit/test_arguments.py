"""Arguments: the flags both programs take."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from toolkit.arguments import CommonArguments, add_common, common, version


def read(*given: str) -> CommonArguments:
    """Read the flags *given* with a program's defaults."""
    parser = argparse.ArgumentParser(prog="vigie-test")
    add_common(parser)
    return common(parser.parse_args(given), config_file="vigie.yml", listen_address=":10917")


def test_defaults() -> None:
    """Without flags the program's defaults hold."""
    assert read() == CommonArguments(
        config_file=Path("vigie.yml"),
        listen_addresses=(":10917",),
        web_config_file=None,
        log_level="info",
        log_format="logfmt",
    )


def test_all_given() -> None:
    """Every flag is read, and the address may be repeated."""
    arguments = read(
        "--config.file=a.yml",
        "--web.listen-address=:1",
        "--web.listen-address=[::1]:2",
        "--web.config.file=web.yml",
        "--log.level=debug",
        "--log.format=json",
    )
    assert arguments == CommonArguments(
        config_file=Path("a.yml"),
        listen_addresses=(":1", "[::1]:2"),
        web_config_file=Path("web.yml"),
        log_level="debug",
        log_format="json",
    )


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The version is printed with the program's name."""
    with pytest.raises(SystemExit) as caught:
        read("--version")
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"vigie-test {version()}\n"


@pytest.mark.parametrize("flag", ["--log.level=loud", "--log.format=xml", "--web.listen=:1"])
def test_refused(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A value outside the choices, or a flag cut short, is refused."""
    with pytest.raises(SystemExit) as caught:
        read(flag)
    assert caught.value.code == 2
    assert "error: " in capsys.readouterr().err
