"""The Compose platform: a fleet as containers of one Docker Compose project."""
