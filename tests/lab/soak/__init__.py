"""The soak's own judgement, tested: what drifts, grows or is called by a wrong name must show."""
