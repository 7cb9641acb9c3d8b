"""The senior agent: turns an alert into a checked root-cause report."""
