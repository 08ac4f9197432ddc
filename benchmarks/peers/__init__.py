"""Ostiary beside its peers: same machine, same PostgreSQL, same load, one worker each."""
