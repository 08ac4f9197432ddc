"""Functions and triggers of revision 0003, as they were: a later change of schema/triggers.py must not change them."""

from __future__ import annotations

from typing import Final

FORGETTING: Final = {
    "postgresql": (
        """
CREATE FUNCTION ostiary.empty_login_history() RETURNS trigger
LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
  UPDATE ostiary.login_history SET ip_address = NULL, user_agent = NULL, device = NULL
   WHERE identity_id = OLD.id AND (ip_address IS NOT NULL OR user_agent IS NOT NULL OR device IS NOT NULL);
  RETURN NULL;
END $$
""",
        (
            "CREATE TRIGGER identities_empty_login_history AFTER DELETE ON ostiary.identities"
            " FOR EACH ROW EXECUTE FUNCTION ostiary.empty_login_history()"
        ),
    ),
    "sqlite": (
        """
CREATE TRIGGER ostiary.identities_empty_login_history AFTER DELETE ON ostiary.identities BEGIN
  UPDATE ostiary_login_history SET ip_address = NULL, user_agent = NULL, device = NULL
   WHERE identity_id = OLD.id AND (ip_address IS NOT NULL OR user_agent IS NOT NULL OR device IS NOT NULL);
END
""",
    ),
}

REMEMBERING: Final = {
    "postgresql": (
        "DROP TRIGGER identities_empty_login_history ON ostiary.identities",
        "DROP FUNCTION ostiary.empty_login_history",
    ),
    "sqlite": ("DROP TRIGGER ostiary.identities_empty_login_history",),
}
