"""Tests of the image, the compose file, and what else is shipped to run Vigie."""
