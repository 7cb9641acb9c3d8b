"""A small ML platform to break: components, load, changes, and faults with their truth."""
