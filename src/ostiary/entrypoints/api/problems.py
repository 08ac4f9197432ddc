"""How the features' refusals look outside: many precise reasons fold into few public codes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ostiary.entrypoints.http.errors import FOLDS as DOOR_FOLDS
from ostiary.entrypoints.http.errors import FieldError, HttpProblem, ProblemCode
from ostiary.features.accounts_elsewhere import LastWayIn, LinkedAccountNotFound, MergeRefused
from ostiary.features.administration import (
    ExpiryPassed,
    NoAddress,
    NotPending,
    NotSuspended,
    OwnAccount,
)
from ostiary.features.factors import (
    FactorDemanded,
    NothingToReset,
    OwnReset,
    ResetNotFound,
    SecondFactorRequired,
)
from ostiary.features.identities import IdentifierTaken, IdentityNotFound, InvalidAddress, UnknownEntityType
from ostiary.features.live_tokens import InvalidReason, TokenReason, TokenRefused
from ostiary.features.maintenance import UnknownTask
from ostiary.features.managed_passwords import NotManaged
from ostiary.features.managed_registration import ManagedRegistrationRefused
from ostiary.features.mfa import FactorNotFound, FactorUnavailable, TooManyFactors
from ostiary.features.onboarding import OnboardingRefused
from ostiary.features.outbox import EndpointNotFound, InvalidEndpoint, MessageNotFound
from ostiary.features.passkeys import TooManyPasskeys
from ostiary.features.passwords import UnacceptablePassword
from ostiary.features.privacy import DeletionNotUndone, ErasureNotFound
from ostiary.features.profiles import InvalidProfile, ProfileNotFound
from ostiary.features.registration import RegistrationRefused
from ostiary.features.roles import (
    InvalidDescription,
    InvalidPermission,
    InvalidRoleName,
    LastOperator,
    RoleDeclared,
    RoleNotFound,
    TooManyPermissions,
)
from ostiary.features.service_credentials import InvalidScope, ServiceCredentialNotFound
from ostiary.features.sessions import InvalidCursor, SignInOvertaken
from ostiary.features.signing_keys import SigningKeyInUse, SigningKeyNotFound
from ostiary.features.upstream import UnknownProvider
from ostiary.features.verification import NotTheirs, VerificationRefused
from ostiary.foundation.ids import InvalidId
from ostiary.foundation.storage import RuleViolation, UniqueViolation, Unstorable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.entrypoints.http.errors import Fold


def _of_field(field: str, error: Exception, code: ProblemCode = ProblemCode.INVALID_REQUEST) -> HttpProblem:
    return HttpProblem(code, errors=[FieldError(field, code.value, str(error))])


def _address(error: InvalidAddress) -> HttpProblem:
    return _of_field(error.field, error)


def _taken(error: IdentifierTaken) -> HttpProblem:
    return _of_field(error.field, error, ProblemCode.IDENTIFIER_TAKEN)


def _profile(error: InvalidProfile) -> HttpProblem:
    return _of_field(error.field, error)


def _password(error: UnacceptablePassword) -> HttpProblem:
    code = ProblemCode.PASSWORD_UNACCEPTABLE
    return HttpProblem(code, str(error), errors=[FieldError("password", error.reason.value, str(error))])


def _entity_type(error: UnknownEntityType) -> HttpProblem:
    return _of_field("entity_type", error)


def _cursor(error: InvalidCursor) -> HttpProblem:
    return _of_field("after", error)


def _registration(error: RegistrationRefused) -> HttpProblem:
    match error.reason:
        case RegistrationRefused.Reason.CLOSED:
            return HttpProblem(ProblemCode.REGISTRATION_CLOSED, str(error))
        case RegistrationRefused.Reason.NO_ADDRESS:
            return _of_field("email", error)
        case RegistrationRefused.Reason.NO_PASSWORD:
            return _of_field("password", error)
        case RegistrationRefused.Reason.PASSWORD_NEEDED:
            return HttpProblem(ProblemCode.PASSWORD_NEEDED, str(error))
        case RegistrationRefused.Reason.RESERVED_ROLE:
            return _of_field("roles", error)
        case (
            RegistrationRefused.Reason.NOT_THE_FIRST
            | RegistrationRefused.Reason.NOT_PROVEN
            | RegistrationRefused.Reason.NOT_INVITED
        ):
            return HttpProblem(ProblemCode.INVALID_CREDENTIALS, str(error))


def _role(error: InvalidRoleName) -> HttpProblem:
    return _of_field("roles", error)


def _permissions(error: InvalidPermission | TooManyPermissions) -> HttpProblem:
    return _of_field("permissions", error)


def _description(error: InvalidDescription) -> HttpProblem:
    return _of_field("description", error)


def _expiry(error: ExpiryPassed) -> HttpProblem:
    return _of_field("expires_at", error)


def _scopes(error: InvalidScope) -> HttpProblem:
    return _of_field("scopes", error)


def _state(error: NoAddress | NotSuspended | SigningKeyInUse) -> HttpProblem:
    return HttpProblem(ProblemCode.WRONG_STATE, str(error))


def _verification(error: VerificationRefused) -> HttpProblem:
    return _of_field(error.field, error)


def _managed_registration(error: ManagedRegistrationRefused) -> HttpProblem:
    reason = ManagedRegistrationRefused.Reason
    match error.reason:
        case reason.CLOSED | reason.DOMAIN_NOT_ALLOWED:
            return HttpProblem(ProblemCode.REGISTRATION_CLOSED, str(error))
        case reason.TOO_MANY_MESSAGES:
            return HttpProblem(ProblemCode.TOO_MANY_ATTEMPTS, str(error), retry_after=timedelta(hours=1))
        case reason.ADDRESS_TAKEN:
            return _of_field("email", error, ProblemCode.IDENTIFIER_TAKEN)
        case reason.WEAK_PASSWORD:
            return _of_field("password", error, ProblemCode.PASSWORD_UNACCEPTABLE)
        case reason.WRONG_CODE:
            return HttpProblem(ProblemCode.INVALID_CREDENTIALS, str(error))
        case reason.CONFIRMED_ELSEWHERE:
            return HttpProblem(ProblemCode.WRONG_STATE, str(error))


def _deletion(error: DeletionNotUndone) -> HttpProblem:
    code = ProblemCode.IDENTIFIER_TAKEN
    return HttpProblem(code, str(error), errors=[FieldError(error.field, code.value, str(error))])


def _onboarding(error: OnboardingRefused) -> HttpProblem:
    reason = OnboardingRefused.Reason
    match error.reason:
        case reason.NO_SUCH_FLOW | reason.NO_SUCH_STEP | reason.NOT_STARTED:
            code = ProblemCode.NOT_FOUND
        case reason.ANOTHER_UNDER_WAY | reason.OVER:
            code = ProblemCode.ONBOARDING_CONFLICT
        case reason.INCOMPLETE:
            code = ProblemCode.ONBOARDING_INCOMPLETE
        case reason.INVALID_DATA | reason.NOT_SKIPPABLE:
            code = ProblemCode.INVALID_REQUEST
    fields = [FieldError(field, code.value, detail) for field, detail in error.fields.items()]
    return HttpProblem(code, str(error), errors=fields)


def _factor(error: FactorUnavailable | TooManyFactors | NothingToReset) -> HttpProblem:
    return HttpProblem(ProblemCode.FACTOR_UNAVAILABLE, str(error))


def _own_reset(error: OwnReset) -> HttpProblem:
    return HttpProblem(ProblemCode.FORBIDDEN, str(error))


def _endpoint(error: InvalidEndpoint) -> HttpProblem:
    return _of_field(error.field, error)


_TOKEN_CODES: Final = {
    TokenReason.NO_ACCOUNT: ProblemCode.NOT_FOUND,
    TokenReason.PROVIDER_OFF: ProblemCode.NO_TOKENS,
    TokenReason.NOT_IN_USE: ProblemCode.NO_TOKENS,
    TokenReason.NO_TOKENS: ProblemCode.NO_TOKENS,
    TokenReason.NEEDS_RECONNECTION: ProblemCode.NEEDS_RECONNECTION,
    TokenReason.EXPIRED: ProblemCode.NEEDS_RECONNECTION,
    TokenReason.SCOPE_NOT_GRANTED: ProblemCode.SCOPE_NOT_GRANTED,
}


def _token(error: TokenRefused) -> HttpProblem:
    return HttpProblem(_TOKEN_CODES[error.reason], str(error))


def _read_reason(error: InvalidReason) -> HttpProblem:
    return _of_field("reason", error)


def _merge(error: MergeRefused) -> HttpProblem:
    if error.reason is MergeRefused.Reason.NOT_PROVEN:
        return HttpProblem(ProblemCode.INVALID_CREDENTIALS, str(error))
    return HttpProblem(ProblemCode.MERGE_REFUSED, str(error))


def _last_way_in(error: LastWayIn) -> HttpProblem:
    return HttpProblem(ProblemCode.LAST_WAY_IN, str(error))


FOLDS: Final[Mapping[type[Exception], Fold]] = {
    DeletionNotUndone: _deletion,
    LastWayIn: _last_way_in,
    LinkedAccountNotFound: ProblemCode.NOT_FOUND,
    MergeRefused: _merge,
    UnknownProvider: ProblemCode.NOT_FOUND,
    ErasureNotFound: ProblemCode.NOT_FOUND,
    EndpointNotFound: ProblemCode.NOT_FOUND,
    ExpiryPassed: _expiry,
    FactorDemanded: ProblemCode.FACTOR_DEMANDED,
    FactorNotFound: ProblemCode.NOT_FOUND,
    FactorUnavailable: _factor,
    IdentifierTaken: _taken,
    # The token was good, but what it names is gone.
    IdentityNotFound: ProblemCode.INVALID_TOKEN,
    InvalidAddress: _address,
    InvalidCursor: _cursor,
    InvalidEndpoint: _endpoint,
    InvalidDescription: _description,
    InvalidId: ProblemCode.NOT_FOUND,
    InvalidPermission: _permissions,
    InvalidProfile: _profile,
    InvalidReason: _read_reason,
    InvalidScope: _scopes,
    LastOperator: ProblemCode.LAST_OPERATOR,
    NoAddress: _state,
    NotManaged: ProblemCode.NOT_FOUND,
    NotSuspended: _state,
    NothingToReset: _factor,
    InvalidRoleName: _role,
    ManagedRegistrationRefused: _managed_registration,
    MessageNotFound: ProblemCode.NOT_FOUND,
    NotPending: ProblemCode.NOT_PENDING,
    NotTheirs: ProblemCode.INVALID_CREDENTIALS,
    OnboardingRefused: _onboarding,
    OwnAccount: ProblemCode.OWN_ACCOUNT,
    OwnReset: _own_reset,
    ProfileNotFound: ProblemCode.NOT_FOUND,
    RegistrationRefused: _registration,
    ResetNotFound: ProblemCode.NOT_FOUND,
    RoleDeclared: ProblemCode.ROLE_DECLARED,
    RoleNotFound: ProblemCode.NOT_FOUND,
    RuleViolation: ProblemCode.INVALID_REQUEST,
    SecondFactorRequired: ProblemCode.SECOND_FACTOR_REQUIRED,
    ServiceCredentialNotFound: ProblemCode.NOT_FOUND,
    SigningKeyInUse: _state,
    SigningKeyNotFound: ProblemCode.NOT_FOUND,
    SignInOvertaken: ProblemCode.INVALID_CREDENTIALS,
    TokenRefused: _token,
    TooManyFactors: _factor,
    TooManyPasskeys: _factor,
    TooManyPermissions: _permissions,
    UnacceptablePassword: _password,
    # A key of the application's own, taken in its creation hook.
    UniqueViolation: ProblemCode.IDENTIFIER_TAKEN,
    UnknownEntityType: _entity_type,
    UnknownTask: ProblemCode.NOT_FOUND,
    Unstorable: ProblemCode.INVALID_REQUEST,
    VerificationRefused: _verification,
}

# An application names accounts by their ids in its own routes, as an operator does.
HOST_FOLDS: Final[Mapping[type[Exception], Fold]] = {
    **DOOR_FOLDS,
    **FOLDS,
    IdentityNotFound: ProblemCode.NOT_FOUND,
}
