"""What `init` finds out and proposes."""
