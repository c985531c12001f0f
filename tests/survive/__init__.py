"""The kill test: real clients send while something of the site is killed, stopped or frozen every second."""
