"""Recorded incidents before every persona of the stand-in of the Mistral API."""
