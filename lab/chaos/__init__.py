"""Breaks a running responder on purpose, with a ledger of its own to judge what came of it."""
