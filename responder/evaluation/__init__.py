"""How good the ranking is, measured on recorded incidents whose cause is known."""
