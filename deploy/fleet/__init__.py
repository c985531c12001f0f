"""The operator's tool: starts, watches and stops a fleet. Never imports Django, Celery or an app."""
