"""The command `verdict`: an operator says what he thinks of a report."""
