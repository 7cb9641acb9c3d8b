"""The kinds of probe, each against a real server that speaks its protocol, right and wrong."""
