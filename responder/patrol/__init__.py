"""The senior's own round: what no alert covers yet, looked for again and again."""
