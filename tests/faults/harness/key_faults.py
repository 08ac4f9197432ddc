"""The fault of signing keys: they change while clients hold what the old ones signed."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import msgspec
from tests.faults.harness.faults import BOTH, Blow, Fault
from tests.faults.harness.history import NO_WORKER, Ending, Kind
from tests.faults.harness.workload import Device, Person

if TYPE_CHECKING:
    from tests.faults.harness.run import Run


class ReplacedKey(Fault):
    """A key is published ahead of its turn, or taken away because somebody else has it; workers restart in turn."""

    id = "F12"
    title = "a signing key rotated under load, and a compromised one taken away"
    dialects = BOTH
    ways = ("rotate", "compromised")

    async def inject(self, run: Run, blow: Blow) -> None:
        """Change the keys by command, and let every worker read them as it starts again."""
        if blow.way == "rotate":
            if not await run.operator.run("keys", "rotate"):
                run.broken("operators", "`ostiary keys rotate` failed")
            await self._restart(run)
            return
        # Whoever comes now is given a token of the key that signs now.
        newcomer = Device(Person("newcomer", run.history.ended), 3, run.door, "")
        await newcomer.register()
        number = run.history.begin(Kind.REPLACE_KEY, "", NO_WORKER)
        done = await run.operator.run("keys", "retire", _key_of(newcomer.held[-1].access), "--compromised")
        await self._restart(run)
        run.history.end(number, Ending(outcome="ok" if done else "unknown"))

    async def heal(self, run: Run, _blow: Blow) -> None:
        """Wait for the workers."""
        await run.world.all_ready()

    @staticmethod
    async def _restart(run: Run) -> None:
        for worker in run.world.workers:
            await worker.terminate()
            await worker.started()


def _key_of(access_token: str) -> str:
    """Return the id of the key that signed an access token."""
    header = access_token.partition(".")[0]
    decoded = base64.urlsafe_b64decode(header + "=" * (-len(header) % 4))
    kid: str = msgspec.json.decode(decoded)["kid"]
    return kid
