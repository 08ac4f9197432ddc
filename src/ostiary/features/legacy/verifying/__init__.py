"""The comparison of both sides: counts, digests, seals, look-ups, sign-ins."""
