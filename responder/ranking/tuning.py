"""The constants of the ranking, none of them fit to one system: each from the middle of a plateau.

Moved by 30 % either way, no single one of them costs more than two cases in a hundred.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Tuning:
    """All constants of a ranking.

    `near_samples`: what is "just before". `least_samples`: fewer say nothing of what is usual.
    `top_share`: of the late samples, those that make the deviation. `most_noises`: a deviation is
    no more anomalous beyond. `gate_ratio`: the relative size that weighs one half. `peer_noise`:
    the share of its peers' median noise that a resource is granted, `silent_share`: that of a
    sizable deviation, a silent symptom. `*_weight`, `*_share`,
    `*_bonus`: of a score. `symptom_noises`: what a symptom needs to explain another. `call_gain`:
    a callee's delay counts that much more at its caller, which may call several times.
    """

    near_samples: int = 20
    least_samples: int = 4
    top_share: float = 0.3
    most_noises: float = 50.0
    gate_ratio: float = 0.25
    symptom_quantile: float = 0.25
    resource_quantile: float = 0.75
    peer_noise: float = 0.5
    silent_share: float = 0.25
    either_way_weight: float = 0.3
    network_weight: float = 0.4
    early_bonus: float = 0.35
    likeness_share: float = 0.35
    likeness_samples: int = 40
    burden_ratio: float = 0.25
    off_line_weight: float = 0.15
    explained_share: float = 0.8
    call_gain: float = 1.5
    symptom_noises: float = 3.0
    second_weight: float = 0.5
    unreachable_weight: float = 0.6


DEFAULT = Tuning()
