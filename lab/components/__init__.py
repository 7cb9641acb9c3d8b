"""The lab's components, each a process of its own: `python -m lab.components NAME`."""
