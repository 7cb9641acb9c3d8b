"""Queues of model servers that grow, and did not at this time of day in the past."""

from __future__ import annotations

from collections.abc import Sequence

from responder.investigation.wording import number
from responder.patrol.change import Gate, growth
from responder.patrol.concern import Concern, Grade
from responder.patrol.look import Ground, look
from responder.patrol.past import earlier, key
from responder.promql import duration, selector

# The names by which servers export the requests that wait: vLLM, SGLang, TGI, Triton, llama.cpp,
# Ray Serve and TorchServe, each as its own documentation has it.
_WAITING = (
    "vllm:num_requests_waiting",
    "sglang:num_queue_reqs",
    "tgi_queue_size",
    "nv_inference_pending_request_count",
    "llamacpp:requests_deferred",
    "ray_serve_deployment_queued_queries",
)
_GATE = Gate(ratio=1.5, difference=2.0)
_USUAL_RATIO = 1.2
_SERIOUS_LENGTH = 20.0


@look("queues")
async def queues(ground: Ground) -> Sequence[Concern]:
    """Find queues that grew over the window and are longer than they were then."""
    names = "|".join(_WAITING)
    selected = selector(matchers=[("__name__", "=~", names)])
    over = duration(ground.piece_seconds)
    # `by (...)`: the labels that tell a server from another, with or without an operator.
    query = f"sum by (job, instance, service) (avg_over_time({selected}[{over}]))"
    now = await ground.pieces(query)
    grown = [(series, growth(series.values, _GATE)) for series in now]
    if not any(change for _, change in grown):
        return ()
    before = await earlier(ground, query, 1)
    found = []
    for series, change in grown:
        ago, then = before.get(key(series), ("", None))
        if change is None or (then and max(then.values) * _USUAL_RATIO >= change.now):
            continue
        about = series.labels.get("service") or series.labels.get("instance", "")
        usual = f"; at most {number(max(then.values))} {ago}" if then else "; no past to compare"
        text = (
            f"{about}: {number(change.now)} requests wait, {number(change.before)} earlier{usual}"
        )
        grade = Grade.SERIOUS if change.now >= _SERIOUS_LENGTH else Grade.NOTE
        found.append(
            Concern(
                look="queues",
                measure="waiting",
                labels=dict(series.labels),
                grade=grade,
                text=text,
                query=query,
            )
        )
    return found
