"""Each cause kind in words, and what one usually does about it where no runbook says more."""

from __future__ import annotations

from collections.abc import Mapping

from responder.investigation.evidence import CauseKind

HEADLINES: Mapping[CauseKind, str] = {
    CauseKind.TRAFFIC_SURGE: "{} gets more traffic than it can serve",
    CauseKind.CAPACITY: "{} has too little capacity for its usual traffic",
    CauseKind.HUNG_ENGINE: "the engine of {} hangs: requests go in and nothing comes out",
    CauseKind.SLOW_ENGINE: "{} answers slowly at its usual load",
    CauseKind.INTERNAL_ERROR: "{} fails with errors of its own",
    CauseKind.CRASH: "{} is gone: its process does not answer",
    CauseKind.OUT_OF_MEMORY: "{} ran out of memory and was started again",
    CauseKind.BAD_ROLLOUT: "a new version of {} broke what depends on it",
    CauseKind.MODEL_REGRESSION: "the model of {} answers in time, and wrongly",
    CauseKind.INPUT_DATA: "{} is fed data that it was not made for",
    CauseKind.DEPENDENCY: "{} makes those wait that call it",
    CauseKind.PROVIDER_OUTAGE: "the provider behind {} does not serve",
    CauseKind.RATE_LIMIT: "{} refuses requests for coming too often",
    CauseKind.NETWORK: "the network path to {} is broken",
    CauseKind.CERTIFICATE: "the certificate of {} runs out, or is not accepted",
    CauseKind.CONFIGURATION: "the configuration around {} is wrong",
    CauseKind.GPU_HARDWARE: "an accelerator of {} is faulty",
    CauseKind.MONITORING: "the monitoring of {} is broken; the service may be well",
    CauseKind.UNKNOWN: "what ails {} could not be found",
}

ACTIONS: Mapping[CauseKind, tuple[str, ...]] = {
    CauseKind.TRAFFIC_SURGE: (
        "Find who sends the additional traffic, and limit it or add replicas of {}.",
    ),
    CauseKind.CAPACITY: ("Add replicas of {}, or lower what each request may ask for.",),
    CauseKind.HUNG_ENGINE: (
        "Take a stack dump of {}'s engine, then restart it; its health check does not see this.",
    ),
    CauseKind.SLOW_ENGINE: (
        "Look at the accelerator of {} (clocks, throttling, neighbours) and at the engine's log.",
    ),
    CauseKind.INTERNAL_ERROR: ("Read the log of {} from the onset on.",),
    CauseKind.CRASH: ("Look why the process of {} ended, and start it again.",),
    CauseKind.OUT_OF_MEMORY: ("Raise the memory limit of {}, or find what grew.",),
    CauseKind.BAD_ROLLOUT: ("Roll {} back to the version before.",),
    CauseKind.MODEL_REGRESSION: (
        "Compare the model, its template and its sampling settings of {} with those before.",
    ),
    CauseKind.DEPENDENCY: ("Look at what {} itself waits for: its store, its locks, its peers.",),
    CauseKind.PROVIDER_OUTAGE: (
        "Look at the provider's status page; switch to another if need be.",
    ),
    CauseKind.RATE_LIMIT: ("Ask for a higher limit of {}, or spread the requests.",),
    CauseKind.NETWORK: ("Check name resolution, routes and firewalls on the way to {}.",),
    CauseKind.CERTIFICATE: ("Renew the certificate that {} serves, and see that it is loaded.",),
    CauseKind.CONFIGURATION: ("Undo the last configuration change of {}.",),
    CauseKind.MONITORING: ("Look at the exporter, the scrapes and their configuration first.",),
}


def headline(kind: CauseKind, component: str) -> str:
    """Say in one line what a cause is."""
    return HEADLINES[kind].format(component)


def actions(kind: CauseKind, component: str) -> tuple[str, ...]:
    """Say what is usually done about a cause."""
    return tuple(text.format(component) for text in ACTIONS.get(kind, ()))
