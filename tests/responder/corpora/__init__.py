"""Texts that attack: injections and secrets, with the tables of what came of them."""
