"""`eval reports`: recorded incidents with known causes, put to an analyst again."""
