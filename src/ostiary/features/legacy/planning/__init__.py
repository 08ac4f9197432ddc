"""The rehearsal: every row accounted for, everything found, and nothing written."""
