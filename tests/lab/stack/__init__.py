"""Tests of the stack: finding its programs, fitting its files, running it."""
