"""Tests on a real fleet: instances, worker, beat, PostgreSQL, Redis, Traefik and nginx, as `./spillway up` starts them."""
