"""The figures: each measured beside its peer in the same run. `python -m bench` lists them."""
