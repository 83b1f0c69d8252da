"""Closing a day: its figures, frozen."""
