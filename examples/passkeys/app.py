"""A page that registers people, adds passkeys and signs in with them: `uvicorn app:app`, then http://localhost:8000."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from ostiary import Ostiary

HERE = Path(__file__).parent

# Passkeys belong to a domain, which 127.0.0.1 is not: OSTIARY_PUBLIC_URL=http://localhost:8000/auth
auth = Ostiary()
app = Starlette(
    routes=[Mount("/auth", auth), Mount("/", StaticFiles(directory=HERE / "page", html=True))],
    lifespan=auth.lifespan,
)
