"""Plays the journal of an incident again, offline, to the report that it led to."""
