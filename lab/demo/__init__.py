"""The demonstration: breaks the lab and shows what the programs make of it."""
