"""`backtest`: a user's own past alerts, and the reports that they would have had."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from responder.backtest import summary
from responder.backtest.past import Past, incidents
from responder.backtest.trial import Ground, Trial, trials
from responder.config import Config, load_config
from responder.investigation.stages import Limits
from responder.outlet import Outlet
from responder.sources.prometheus import PrometheusSource
from responder.witness import SilentError, ask_prometheus
from toolkit.settings import seconds

_SLICE_SECONDS = 6 * 3600.0
_MOST = 100
_LOOK_AFTER = "30s"  # what Alertmanager's group_wait gives a live one


class BacktestError(Exception):
    """A backtest that cannot be made; the text says where, what, and what to do."""


def parser() -> argparse.ArgumentParser:
    """Make the parser of what follows `backtest`."""
    made = argparse.ArgumentParser(
        prog="vigie-responder backtest",
        description="Writes the reports that past alerts would have had. Prometheus is only read;"
        " no model is asked, and nothing is stored but in the folder that you name.",
        allow_abbrev=False,
    )
    add = made.add_argument
    add("--since", default="7d", metavar="DURATION", help="how far back, such as 30d (default 7d)")
    add(
        "--look-after",
        default=_LOOK_AFTER,
        metavar="DURATION",
        help=f"how far past its beginning an investigation reads (default {_LOOK_AFTER})",
    )
    add("--config.file", dest="config_file", type=Path, metavar="PATH", help="the responder's own")
    add("--prometheus.url", dest="url", metavar="URL", help="where no configuration names one")
    add("--limit", type=int, default=_MOST, metavar="N", help=f"newest first (default {_MOST})")
    add("--to", type=Path, metavar="DIR", help="also write each report there, as text and JSON")
    add("--json", action="store_true", help="print JSON")
    return made


async def run(
    namespace: argparse.Namespace, environ: Mapping[str, str], outlet: Outlet, *, now: float
) -> int:
    """Do it; raises BacktestError and ConfigError."""
    config, source = _configured(namespace, environ)
    span_seconds = _duration("--since", namespace.since)
    look_after_seconds = _duration("--look-after", namespace.look_after)
    folder = _folder(namespace.to)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session:
        pasts = await _pasts(config, source, session, now - span_seconds, now)
        chosen = pasts[-max(1, namespace.limit) :]
        outlet.tell(f"{len(pasts)} incidents in {namespace.since}; {len(chosen)} are investigated")
        ground = Ground(
            sources=[source, *(each for each in config.sources if each is not source)],
            topology=config.topology_record(),
            session=session,
            limits=Limits(
                gather_seconds=config.limits.source, look_back_seconds=config.limits.look_back
            ),
            look_after_seconds=look_after_seconds,
        )
        made: list[Trial] = []
        async for trial in trials(ground, chosen):
            made.append(trial)
            kept = f" -> {_saved(trial, folder)}" if folder else ""
            outlet.tell(f"{len(made)}/{len(chosen)} {trial.report.headline}{kept}")
    if namespace.json:
        outlet.console.print(summary.as_json(made), markup=False, highlight=False, soft_wrap=True)
    else:
        outlet.console.print(summary.table(made))
    return 0


def _configured(
    namespace: argparse.Namespace, environ: Mapping[str, str]
) -> tuple[Config, PrometheusSource]:
    config = load_config(namespace.config_file, environ) if namespace.config_file else Config()
    if namespace.url is not None:
        if not namespace.url.startswith(("http://", "https://")):
            raise BacktestError(
                f"--prometheus.url: {namespace.url!r} is no web address;"
                " give one such as http://localhost:9090"
            )
        return config, PrometheusSource(url=namespace.url)
    for source in config.sources:
        if isinstance(source, PrometheusSource):
            return config, source
    raise BacktestError(
        "backtest: no Prometheus is known; give --prometheus.url, or a --config.file with a"
        " source of kind prometheus"
    )


def _duration(flag: str, text: str) -> float:
    try:
        found = seconds(text)
    except ValueError as error:
        raise BacktestError(f"{flag}: {error}") from None
    if found <= 0:
        raise BacktestError(f"{flag}: nothing; give a duration such as 30d")
    return found


def _folder(folder: Path | None) -> Path | None:
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BacktestError(
                f"{folder}: {error.strerror}; name a folder that can be written"
            ) from None
    return folder


def _saved(trial: Trial, folder: Path) -> Path:
    try:
        return summary.save(trial, folder)
    except FileExistsError as error:
        raise BacktestError(f"{error.filename}: is there already; name an empty folder") from None
    except OSError as error:
        raise BacktestError(
            f"{folder}: {error.strerror}; free some space, or name another"
        ) from None


async def _pasts(
    config: Config,
    source: PrometheusSource,
    session: aiohttp.ClientSession,
    start: float,
    end: float,
) -> tuple[Past, ...]:
    try:
        fired = await ask_prometheus(source, session, start, end, slice_seconds=_SLICE_SECONDS)
    except SilentError as error:
        raise BacktestError(
            f"{source.url}: {error}; check the address and its credentials"
        ) from None
    found = incidents([*fired.over, *fired.now], config.policy())
    if not found:
        days = (end - start) / 86_400
        raise BacktestError(
            f'{source.url}: ALERTS{{alertstate="firing"}} has no samples in the last'
            f" {days:g} days; go further back with --since, or ask the Prometheus that"
            " evaluates the rules"
        )
    return found
