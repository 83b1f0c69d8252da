"""Views for other people's tools: schema `reporting`, read-only, in major units, without secrets, and its role."""
