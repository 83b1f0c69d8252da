"""Why something can not start: one line for a person, never a traceback."""


class CannotStart(Exception):
    """Says in one line what is wrong and what to do about it."""
