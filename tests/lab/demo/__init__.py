"""Tests of the demonstration; they mirror lab/demo."""
