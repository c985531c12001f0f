"""Tests on a real fleet, as `./spillway up` starts it: instances, worker, beat, PostgreSQL, Redis, Traefik, nginx."""
