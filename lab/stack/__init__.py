"""The monitoring stack for real: finds or builds its programs, and runs them on free ports."""
