"""The JSON API: one file for each journey it exposes, all of them data in one route table."""

from ostiary.entrypoints.api.account import AccountDoor
from ostiary.entrypoints.api.accounts import AccountsDoor
from ostiary.entrypoints.api.admin_identities import AdminIdentitiesDoor
from ostiary.entrypoints.api.admin_installation import AdminInstallationDoor
from ostiary.entrypoints.api.admin_records import AdminRecordsDoor
from ostiary.entrypoints.api.admin_roles import AdminRolesDoor
from ostiary.entrypoints.api.admin_sessions import AdminSessionsDoor
from ostiary.entrypoints.api.approvals import ApprovalsDoor
from ostiary.entrypoints.api.devices import DevicesDoor
from ostiary.entrypoints.api.factor_resets import FactorResetsDoor
from ostiary.entrypoints.api.factor_steps import FactorStepsDoor
from ostiary.entrypoints.api.factors import FactorsDoor
from ostiary.entrypoints.api.legacy import LegacyDoor
from ostiary.entrypoints.api.managed_providers import ManagedProvidersDoor
from ostiary.entrypoints.api.onboarding import OnboardingDoor
from ostiary.entrypoints.api.operations import OperationsDoor
from ostiary.entrypoints.api.outbox import OutboxDoor
from ostiary.entrypoints.api.passkeys import PasskeyDoor
from ostiary.entrypoints.api.privacy import PrivacyDoor
from ostiary.entrypoints.api.problems import FOLDS
from ostiary.entrypoints.api.providers import ProvidersDoor
from ostiary.entrypoints.api.recovery import RecoveryDoor
from ostiary.entrypoints.api.registration import RegistrationDoor
from ostiary.entrypoints.api.resource_servers import ResourceServerDoor
from ostiary.entrypoints.api.sign_in import SignInDoor
from ostiary.entrypoints.api.sign_in_by_message import SignInByMessageDoor
from ostiary.entrypoints.api.statistics import StatisticsDoor
from ostiary.entrypoints.api.vault import VaultDoor
from ostiary.entrypoints.api.verification import VerificationDoor
from ostiary.entrypoints.api.webhooks import WebhooksDoor

__all__ = [
    "FOLDS",
    "AccountDoor",
    "AccountsDoor",
    "AdminIdentitiesDoor",
    "AdminInstallationDoor",
    "AdminRecordsDoor",
    "AdminRolesDoor",
    "AdminSessionsDoor",
    "ApprovalsDoor",
    "DevicesDoor",
    "FactorResetsDoor",
    "FactorStepsDoor",
    "FactorsDoor",
    "LegacyDoor",
    "ManagedProvidersDoor",
    "OnboardingDoor",
    "OperationsDoor",
    "OutboxDoor",
    "PasskeyDoor",
    "PrivacyDoor",
    "ProvidersDoor",
    "RecoveryDoor",
    "RegistrationDoor",
    "ResourceServerDoor",
    "SignInByMessageDoor",
    "SignInDoor",
    "StatisticsDoor",
    "VaultDoor",
    "VerificationDoor",
    "WebhooksDoor",
]
