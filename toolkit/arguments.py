"""The flags that both programs take, named as Prometheus names them."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from toolkit.logging import FORMATS, LEVELS, Format


@dataclass(frozen=True, kw_only=True, slots=True)
class CommonArguments:
    """The common flags' values, typed."""

    config_file: Path
    listen_addresses: tuple[str, ...]
    web_config_file: Path | None
    log_level: str
    log_format: Format


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add the common flags to *parser*; `common` reads them.

    In the namespace they are `config_file`, `web_listen_address` (a list or None),
    `web_config_file`, `log_level` and `log_format`.
    """
    parser.allow_abbrev = False  # Prometheus takes no shortened flags either
    add = parser.add_argument
    add("--config.file", dest="config_file", metavar="PATH", type=Path, help="the configuration")
    add(
        "--web.listen-address",
        dest="web_listen_address",
        metavar="ADDRESS",
        action="append",
        help="address to listen on, like :9090 or 127.0.0.1:0; may be repeated",
    )
    add(
        "--web.config.file",
        dest="web_config_file",
        metavar="PATH",
        type=Path,
        help="TLS and users, in the form of the exporter toolkit",
    )
    add("--log.level", dest="log_level", choices=LEVELS, default="info", help="least level shown")
    add("--log.format", dest="log_format", choices=FORMATS, default="logfmt", help="form of logs")
    add("--version", action="version", version=f"%(prog)s {version()}")


def common(
    namespace: argparse.Namespace, *, config_file: str, listen_address: str
) -> CommonArguments:
    """Read the common flags from *namespace*, with the program's own defaults."""
    return CommonArguments(
        config_file=namespace.config_file or Path(config_file),
        listen_addresses=tuple(namespace.web_listen_address or [listen_address]),
        web_config_file=namespace.web_config_file,
        log_level=namespace.log_level,
        log_format=namespace.log_format,
    )


def version() -> str:
    """Give the installed version, `unknown` when run from a bare checkout."""
    try:
        return metadata.version("vigie")
    except metadata.PackageNotFoundError:
        return "unknown"
