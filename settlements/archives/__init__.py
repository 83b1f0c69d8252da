"""Files of archived audit events: how they are written and read, and how they are looked at as if they were there."""
