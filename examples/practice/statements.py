"""What hooks write, in the transaction they are given: SQL that both databases understand."""

from __future__ import annotations

from ostiary import Query

INSERT_CLIENT = Query("INSERT INTO clients (id, display_name) VALUES ($1, $2)")
INSERT_THERAPIST = Query("INSERT INTO therapists (id, display_name) VALUES ($1, $2)")
PUBLISH_THERAPIST = Query(
    "UPDATE therapists SET bio_short = $2, specializations = $3, languages_spoken = $4 WHERE id = $1"
)
INSERT_VERIFICATION = Query(
    "INSERT INTO therapist_verifications (therapist_id, license_number, requested_at) VALUES ($1, $2, $3)"
)
DECIDE_VERIFICATION = Query(
    """
    UPDATE therapist_verifications SET is_approved = $2, reason = $3, decided_by = $4, decided_at = $5
     WHERE therapist_id = $1
    """
)
