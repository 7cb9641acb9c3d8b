"""What those who come from blackbox_exporter find again."""
