"""The junior agents: they ask ML endpoints real questions and export what they saw."""
