"""Causes that a graphics processor tells: its Xid errors, memory errors, links, and slowdowns.

An Xid is not a fault of the hardware by itself: many are a program's. What each means, and whether
NVIDIA names it for the processor, its memory, its firmware or its links, is from NVIDIA's catalogue
(docs.nvidia.com/deploy/xid-errors, "Analyzing Xid Errors with the Xid Catalog"); a code that is not
here is told by its number and suspected of nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from responder.gpu import COUNTERS, THROTTLED, XID, who
from responder.investigation.evidence import CauseKind, Evidence, Point, Quantity
from responder.investigation.hypothesis import Hypothesis
from responder.investigation.picture import Picture
from responder.investigation.wording import clock, number

ORIGIN = "nvidia"
SOON_SAMPLES = 10
# The catalogue's description, and how surely the hardware is meant: most of all what it says can
# be put right only by a reset, a restart of the machine or the vendor.
XIDS: Mapping[int, tuple[str, float]] = {
    46: ("GPU stopped processing", 0.9),
    48: ("double bit ECC error", 0.97),
    54: ("auxiliary power is not connected", 0.95),
    62: ("internal micro-controller halt", 0.9),
    64: ("GPU memory remapping failure", 0.97),
    74: ("NVLink error", 0.9),
    79: ("GPU has fallen off the bus", 0.98),
    92: ("high single-bit ECC error rate", 0.5),
    94: ("contained memory error", 0.93),
    95: ("uncontained memory error", 0.97),
    109: ("context switch timeout", 0.7),
    110: ("security fault", 0.85),
    119: ("GSP RPC timeout", 0.8),
    120: ("GSP error", 0.8),
    136: ("link training failed", 0.9),
    140: ("unrecovered ECC error", 0.97),
    143: ("GPU initialization error", 0.9),
    158: ("GPU fatal timeout", 0.9),
}
_UNCORRECTABLE = {
    COUNTERS["DCGM_FI_DEV_ECC_DBE_VOL_TOTAL"]: 0.95,
    COUNTERS["DCGM_FI_DEV_ROW_REMAP_FAILURE"]: 0.95,
    COUNTERS["DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS"]: 0.85,
    COUNTERS["DCGM_FI_DEV_RETIRED_DBE"]: 0.85,
    COUNTERS["DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL"]: 0.7,
}
_SLOWDOWN = 0.6
# What a component shows when the processor beneath it is broken.
_SHOWN = frozenset(
    {CauseKind.HUNG_ENGINE, CauseKind.SLOW_ENGINE, CauseKind.INTERNAL_ERROR, CauseKind.CRASH}
)
_SURE = 0.85
_EXPLAINED = 0.8


def told(picture: Picture) -> frozenset[str]:
    """Return the components whose processors are known of."""
    found = (each.component for each in picture.evidence if each.facts.get("origin") == ORIGIN)
    return frozenset(each for each in found if each)


def faults(picture: Picture, component: str) -> Iterator[Hypothesis]:
    """Judge what its processors reported from about the onset on, and not long before."""
    for evidence in picture.evidence_of(component, ORIGIN):
        for quantity in evidence.quantities:
            if quantity.at is not None and _is_near(picture, quantity.at):
                found = _weighed(quantity)
                if found is not None:
                    yield _fault(component, evidence, quantity, quantity.at, found)


def explained(picture: Picture, found: Sequence[Hypothesis]) -> list[Hypothesis]:
    """Discount what a component shows where a fault of its processor, no later, is the reason."""
    broken = {
        each.component: each.moved_at
        for each in found
        if each.kind is CauseKind.GPU_HARDWARE and each.strength >= _SURE
    }
    made = []
    for each in found:
        at, fault_at = each.moved_at, broken.get(each.component)
        is_later = fault_at is not None and (
            at is None or fault_at <= at + SOON_SAMPLES * picture.step
        )
        made.append(each.weighed(_EXPLAINED) if each.kind in _SHOWN and is_later else each)
    return made


def _is_near(picture: Picture, at: float) -> bool:
    """Say whether it came early enough to have begun the incident, and late enough to matter.

    What came long after the onset is a consequence, or another story.
    """
    slack = SOON_SAMPLES * picture.step + picture.onset.uncertainty_seconds
    return abs(at - picture.onset.at) <= slack


def _weighed(quantity: Quantity) -> tuple[str, float] | None:
    if quantity.name == XID:
        meaning = XIDS.get(int(quantity.value))
        if meaning is None:
            return None
        return f"reported Xid {number(quantity.value)} ({meaning[0]})", meaning[1]
    if quantity.name in _UNCORRECTABLE:
        return f"counted {number(quantity.value)} {quantity.name}", _UNCORRECTABLE[quantity.name]
    if quantity.name == THROTTLED:
        return f"was slowed down by {quantity.labels.get('reason', 'a limit')}", _SLOWDOWN
    return None


def _fault(
    component: str, evidence: Evidence, quantity: Quantity, at: float, found: tuple[str, float]
) -> Hypothesis:
    what, strength = found
    text = f"{component}: {who(quantity.labels)} {what} at {clock(at)}"
    return Hypothesis(
        component=component,
        kind=CauseKind.GPU_HARDWARE,
        strength=strength,
        points=(Point(text=text, evidence=(evidence.id,)),),
        moved_at=at,
        local=True,
    )
