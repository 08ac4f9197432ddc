"""What is written and shown: medians, ratios against Ostiary, and whether the bars are met."""

from __future__ import annotations

import json


def summary(loads, missing, scale, version):
    return {l.contestant.name: {"rates": {k: [round(s.rate,1) for s in v] for k,v in l.samples.items()}, "gen": {k: round(v[-1].generator_busy,2) for k,v in l.samples.items()},"srv": {k: round(v[-1].server_busy,2) for k,v in l.samples.items()}, "st": l.statements, "rep": l.replay, "mem": l.memory} for l in loads}

def show(results):
    for k, v in results.items(): print(k, json.dumps(v))
def write(r): ...
