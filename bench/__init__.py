"""What does one event cost, measured against the least SQL that could do the same?"""
