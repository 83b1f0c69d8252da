"""The database as a service uses it: who owns it, what the service's own role may do, and how it is migrated."""
