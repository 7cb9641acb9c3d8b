"""Tests of the payload monitors."""
