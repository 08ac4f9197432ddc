import pytest
from tests.foundation.jose.forging import key_for

from ostiary.foundation.jose import Algorithm


@pytest.fixture(params=list(Algorithm))
def key(request):
    return key_for(request.param)


@pytest.fixture
def es256():
    return key_for(Algorithm.ES256)
