"""The responder's command line: run (default) and check."""

from __future__ import annotations

import argparse
import os
import sys

from responder.assembly import Startup, running
from responder.config import load_config
from responder.investigator import investigator
from responder.store.engine import StoreError
from toolkit import arguments
from toolkit.arguments import CommonArguments
from toolkit.lifecycle import each_hangup, run, until_stopped
from toolkit.logging import configure
from toolkit.problem import ConfigError
from toolkit.web import load_web_config


def main() -> int:
    """Run the command that the arguments name; gives the exit code."""
    parser = argparse.ArgumentParser(
        prog="vigie-responder", description="Explains the alerts that Alertmanager sends."
    )
    parser.add_argument("command", nargs="?", choices=("run", "check"), default="run")
    arguments.add_common(parser)
    namespace = parser.parse_args()
    common = arguments.common(namespace, config_file="responder.yml", listen_address=":10918")
    configure(level=common.log_level, format=common.log_format)
    try:
        return _check(common) if namespace.command == "check" else run(_run(common))
    except (ConfigError, StoreError) as error:
        print(error, file=sys.stderr)
        return 1


def _check(common: CommonArguments) -> int:
    load_config(common.config_file, os.environ)
    load_web_config(common.web_config_file, os.environ)
    print(f"{common.config_file}: ok")
    return 0


async def _run(common: CommonArguments) -> int:
    startup = Startup(
        read=lambda: load_config(common.config_file, os.environ),
        directory=common.config_file.parent,
        addresses=common.listen_addresses,
        web=load_web_config(common.web_config_file, os.environ),
        version=arguments.version(),
        build=investigator,
    )
    async with running(startup) as responder:
        responder.supervisor.spawn("reload on hangup", each_hangup, responder.reload)
        await until_stopped()
    return 0


if __name__ == "__main__":
    sys.exit(main())
