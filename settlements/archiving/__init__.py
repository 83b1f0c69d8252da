"""Moving old audit events out of their table into files, by month."""
