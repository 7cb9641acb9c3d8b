"""Which component is to blame, from numbers alone: pure functions on a table of series."""
