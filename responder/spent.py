"""The families of what a model has cost this day and month, beside the ceilings on it."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.metrics_core import Metric

from responder.ceilings import ALL, Ceilings, Spent
from responder.store.snapshot import Snapshot
from responder.stored import labelled

_LONGEST_LABEL = 200
_LABELS = ("window", "model")
_SHOWN = ("day", "month")


def families(snapshot: Snapshot | None, ceilings: Ceilings) -> Iterable[Metric]:
    """Give what was spent or is reserved, of each model that a ceiling names or that was asked.

    A series without a model is of all. Without the store only the ceilings are known.
    """
    if snapshot is not None:
        yield from _spent(snapshot, ceilings)
    tokens = labelled("model_ceiling_tokens", "Tokens that a model may cost at most.", *_LABELS)
    text = "Money that a model may cost at most, in the configuration's currency."
    price = labelled("model_ceiling_price", text, *_LABELS)
    for window, model, ceiling in ceilings.each():
        labels = [window, model[:_LONGEST_LABEL]]
        if ceiling.tokens is not None:
            tokens.add_metric(labels, ceiling.tokens)
        if ceiling.price is not None:
            price.add_metric(labels, ceiling.price)
    yield tokens
    yield price


def _spent(snapshot: Snapshot, ceilings: Ceilings) -> Iterable[Metric]:
    text = "Tokens spent or reserved since the day or month (UTC) began."
    tokens = labelled("model_spent_tokens", text, *_LABELS)
    text = "Money spent or reserved since then, as far as prices are known."
    price = labelled("model_spent_price", text, *_LABELS)
    models = {ALL, *ceilings.models, *(model for _, model in snapshot.spent)}
    for window in _SHOWN:
        for model in sorted(models):
            spent = snapshot.spent.get((window, model), Spent())
            tokens.add_metric([window, model[:_LONGEST_LABEL]], spent.tokens)
            price.add_metric([window, model[:_LONGEST_LABEL]], spent.price)
    yield tokens
    yield price
