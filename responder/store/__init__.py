"""What is kept on disk: the only place that speaks SQL."""
