"""Reconciliation: settlements, attempts, journal and provider or bank compared, and what people said of the rest."""
