"""The harness's own judgement, tested: what is lost or doubled must not pass."""
