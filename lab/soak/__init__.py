"""The soak: ten thousand endpoints, one in twenty broken, and an exporter that watches them."""
