"""The providers: who answers, where, with which models and which wire."""
