"""What applications use in their own tests: a running auth on temporary storage, signed-in people, a movable clock.

The pytest plugin of this package offers the fixture `ostiary_auth`.
"""

from ostiary.testing.auth import AuthForTests, SignedInForTests, auth_for_tests, principal
from ostiary.testing.clock import MovableClock

__all__ = ["AuthForTests", "MovableClock", "SignedInForTests", "auth_for_tests", "principal"]
