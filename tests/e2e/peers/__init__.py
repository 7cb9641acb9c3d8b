"""End to end, against model servers that others wrote."""
