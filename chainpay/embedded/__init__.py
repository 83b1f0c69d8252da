"""The development PostgreSQL and Redis: from pinned wheels, started under `var/`, stopped by their last user."""
