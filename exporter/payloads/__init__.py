"""What models are fed: traffic in, counts by the minute, scores beside their thresholds."""
