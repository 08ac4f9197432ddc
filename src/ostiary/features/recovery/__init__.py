"""Recovery: a way back for whoever forgot their password, and no way in for anybody else.

Asking is answered alike, and costs the same, for every identifier (ABU-04). A reset signs nobody in, ends everything
that was signed in, and leaves second factors as they are (REC-03).
"""

from ostiary.features.recovery.model import CodeReset, LinkReset, Refusal, Refused
from ostiary.features.recovery.service import Recovery

__all__ = ["CodeReset", "LinkReset", "Recovery", "Refusal", "Refused"]
