"""The providers, one file for each wire."""
