"""Past alerts of an installation, investigated as they would have been: read-only."""
