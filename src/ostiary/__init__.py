"""Ostiary: the doorkeeper for Python."""
