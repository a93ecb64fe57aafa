"""OpenAPI documents of users: read whole, and made into service files that people can review."""
