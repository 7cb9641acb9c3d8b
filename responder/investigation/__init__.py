"""The stages of one investigation, from evidence to report."""
