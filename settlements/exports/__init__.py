"""Exports: datasets as data, rendered to CSV by PostgreSQL itself, streamed or kept as a file, always on record."""
