"""What the API says of itself: OpenAPI 3.1 written as data, checked against the routes and against real answers."""
