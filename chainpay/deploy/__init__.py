"""What a deployment needs besides the service: the proxy's configuration, the container's probe, new secrets."""
