"""The fault harness: real servers under a mixed workload, broken on purpose, and a checker of what clients saw.

`python -m tests.faults.harness` runs it; docs/decisions/0010-fault-harness.md says why it is shaped like this.
"""
