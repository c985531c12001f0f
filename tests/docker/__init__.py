"""Tests on a real project of docker-compose.yml: the image is built, every container runs, nothing is replaced."""
