"""What those who come from blackbox_exporter find again: its names, and their configuration."""
