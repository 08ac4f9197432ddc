"""Ostiary inside other frameworks: one module for each."""
