"""The upload protocol from outside: random sequences of requests against a model, and random requests."""
