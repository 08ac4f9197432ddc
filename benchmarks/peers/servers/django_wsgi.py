"""The WSGI application of the Django site."""

# allauth imports these when first used, and the first requests of several threads would race for them.
import cryptography.hazmat.primitives.ciphers
import cryptography.hazmat.primitives.serialization  # noqa: F401
from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
