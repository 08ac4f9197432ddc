"""`ostiary provider`: which providers people can sign in with, and whether they can be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from ostiary.app import Ostiary
from ostiary.entrypoints.cli.output import print_json, print_line, print_table
from ostiary.features.upstream import UpstreamRefused, UpstreamUnavailable

if TYPE_CHECKING:
    from ostiary.features.upstream import Provider, Upstream

app = App(name="provider", help="List providers, and look whether they can be asked.", help_format="markdown")

Json = Annotated[bool, Parameter(help="Print JSON.")]


@app.command(name="list")
async def list_(*, json: Json = False) -> None:
    """List the providers that are turned on, with the address each of them has to know.

    Example: `ostiary provider list`.
    """
    async with Ostiary(run_worker=False) as auth:
        upstream = auth.services.upstream
        facts = [_facts(upstream, provider) for provider in upstream.providers]
    if json:
        print_json(facts)
        return
    if not facts:
        print_line("There are none. Two settings make one: docs/guides/providers.md.")
        return
    print_table(
        f"{len(facts)} providers",
        ("name", "protocol", "for", "redirect URI"),
        (
            (fact["name"], fact["kind"], ", ".join(fact["entity_types"]), fact["redirect_uri"])
            for fact in facts
        ),
    )


@app.command
async def check(name: str | None = None, *, json: Json = False) -> int:
    """Read what providers publish, as a sign-in would; exit 1 if one of them cannot be used.

    Example: `ostiary provider check google`.

    Parameters
    ----------
    name:
        Only this one.
    """
    async with Ostiary(run_worker=False) as auth:
        upstream = auth.services.upstream
        names = [name] if name else [provider.name for provider in upstream.providers]
        found = [await _checked(upstream, each, auth) for each in names]
    if json:
        print_json(found)
    else:
        shown = ((one["name"], "ok" if one["ok"] else "not usable", one["detail"]) for one in found)
        print_table(f"{len(found)} providers", ("name", "", "what was found"), shown)
    return 0 if all(one["ok"] for one in found) else 1


def _facts(upstream: Upstream, provider: Provider) -> dict[str, Any]:
    return {
        "name": provider.name,
        "label": provider.label,
        "kind": provider.kind,
        "entity_types": list(provider.rules.entity_types),
        "signs_in": not provider.rules.link_only,
        "issuer": provider.issuer,
        "redirect_uri": upstream.redirect_uri(provider.name) if provider.has_code_flow else None,
    }


async def _checked(upstream: Upstream, name: str, auth: Ostiary) -> dict[str, Any]:
    try:
        keys = await upstream.check(name, now=auth.clock.now())
    except UpstreamRefused as refused:
        detail = f"what it publishes is not accepted: {refused.reason}"
    except UpstreamUnavailable as unavailable:
        detail = str(unavailable)
    else:
        told = f"its metadata and {keys} keys" if keys else "nothing is published; its endpoints are set"
        return {"name": name, "ok": True, "detail": told}
    return {"name": name, "ok": False, "detail": detail}
