"""The JSON API: one file for each journey it exposes, all of them data in one route table."""

from ostiary.entrypoints.api.account import AccountDoor
from ostiary.entrypoints.api.operations import OperationsDoor
from ostiary.entrypoints.api.passkeys import PasskeyDoor
from ostiary.entrypoints.api.problems import FOLDS
from ostiary.entrypoints.api.registration import RegistrationDoor
from ostiary.entrypoints.api.resource_servers import ResourceServerDoor
from ostiary.entrypoints.api.sign_in import SignInDoor
from ostiary.entrypoints.api.statistics import StatisticsDoor

__all__ = [
    "FOLDS",
    "AccountDoor",
    "OperationsDoor",
    "PasskeyDoor",
    "RegistrationDoor",
    "ResourceServerDoor",
    "SignInDoor",
    "StatisticsDoor",
]
