"""The published rankers, as their authors wrote them, in an environment of their own."""
