"""Everything about authentication: who there is, what they have to show, what comes with them, and who may pass.

Therapists and clients are kinds of account, so one person may be both, with one address and a password for each. The key of
their row is that of their identity.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends

from examples.practice import statements
from examples.practice.profiles import About, NewClient, NewTherapist, Offer
from ostiary import Decision, Identity, NewIdentity, OnboardingFlow, OnboardingStep, Ostiary, Principal
from ostiary.entrypoints.integrations.fastapi import SignedIn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from ostiary import Transaction

PORT = int(os.environ.get("PORT", "8100"))

auth = Ostiary(
    defaults={"public_url": f"http://127.0.0.1:{PORT}/auth"},
    factors={"required_for": ["admin", "therapist"]},
)


async def add_therapist(tx: Transaction, identity: NewIdentity, therapist: NewTherapist) -> UUID:
    """Make a therapist's own row."""
    await tx.execute(statements.INSERT_THERAPIST, identity.id, therapist.display_name)
    return identity.id


async def add_client(tx: Transaction, identity: NewIdentity, client: NewClient) -> UUID:
    """Make a client's own row: of one who registers, or who comes from a provider for the first time."""
    await tx.execute(statements.INSERT_CLIENT, identity.id, client.display_name)
    return identity.id


async def ask_for_verification(tx: Transaction, identity: NewIdentity, profile: Mapping[str, Any]) -> None:
    """Put a new therapist's licence into the queue, in the transaction that makes them."""
    licence = NewTherapist(**profile).license_number
    await tx.execute(statements.INSERT_VERIFICATION, identity.id, licence, auth.clock.now())
    auth.records.record(tx, identity, "therapist.applied")


async def follow_decision(tx: Transaction, identity: Identity, decision: Decision) -> None:
    """Keep what an operator decided about a licence, in the transaction that lets its owner in or turns them away."""
    decided = decision.is_approved, decision.reason, decision.by, decision.at
    await tx.execute(statements.DECIDE_VERIFICATION, identity.id, *decided)


async def publish(tx: Transaction, identity: Identity, data: Mapping[str, Mapping[str, Any]]) -> None:
    """Take over what a therapist said in their onboarding."""
    offer = data["offer"]
    said = data["about"]["bio_short"], offer["specializations"], offer["languages_spoken"]
    await tx.execute(statements.PUBLISH_THERAPIST, identity.id, *said)


auth.entity_type("client", prefix="cli", profile=NewClient, create=add_client)
auth.entity_type("therapist", prefix="thp", profile=NewTherapist, create=add_therapist, needs_approval=True)
auth.on_registered(ask_for_verification, entity_type="therapist")
auth.on_decided(follow_decision, entity_type="therapist")
auth.onboarding_flow(
    OnboardingFlow(
        "therapist",
        [
            OnboardingStep("about", About.model_json_schema(), title="About you"),
            OnboardingStep("offer", Offer.model_json_schema(), title="What you offer"),
            OnboardingStep("contact", needs=["email", "phone"], title="How clients reach you"),
        ],
        entity_types=["therapist"],
        on_complete=publish,
    )
)

ClientSignedIn = Annotated[Principal, Depends(SignedIn(auth, entity_types=["client"]))]
TherapistSignedIn = Annotated[Principal, Depends(SignedIn(auth, entity_types=["therapist"]))]
OperatorSignedIn = Annotated[
    Principal, Depends(SignedIn(auth, roles=["ostiary:operator"], second_factor=True))
]
