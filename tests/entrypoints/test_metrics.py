"""What Prometheus is told, and that the dashboard asks for nothing else."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ostiary.entrypoints.metrics import Metrics, Sources
from ostiary.verifier import RevocationSet

DASHBOARD = Path(__file__).parents[2] / "docs" / "grafana" / "ostiary.json"
DONE_AT = datetime(2026, 11, 21, 2, tzinfo=UTC)


@pytest.fixture
def metrics():
    made = Metrics(
        RevocationSet(timedelta(seconds=10)),
        Sources(
            feed_age=lambda: 0.25,
            pending_hashes=lambda: 3,
            connections=lambda: {"busy": 2, "open": 5, "limit": 10},
            last_successes=lambda: {"sessions": DONE_AT},
            is_leader=lambda: True,
            messages=lambda: {"email": {"delivered": 5, "put_off": 1, "dead": 0}},
            waiting_messages=lambda: {"pending": 4, "dead": 2, "oldest_age": 1.5},
        ),
    )
    made.answered("POST", "/v1/login", 200, 0.05)
    return made


def samples(metrics):
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


@pytest.fixture(scope="module")
def dashboard():
    return json.loads(DASHBOARD.read_text(encoding="utf-8"))


def expressions(dashboard):
    """Return every query of the dashboard, those of its variables too."""
    targets = [target for panel in dashboard["panels"] for target in panel.get("targets", ())]
    variables = [v["definition"] for v in dashboard["templating"]["list"] if v["type"] == "query"]
    return [target["expr"] for target in targets] + variables


def test_the_parts_are_asked_when_prometheus_asks(metrics):
    """Each figure is what its source says at that moment."""
    told = samples(metrics)

    assert told["ostiary_revocation_feed_age_seconds",] == 0.25
    assert told["ostiary_password_hashes_pending",] == 3
    assert told["ostiary_database_connections", "busy"] == 2
    assert told["ostiary_database_connections", "limit"] == 10
    assert told["ostiary_maintenance_last_success_timestamp_seconds", "sessions"] == DONE_AT.timestamp()
    assert told["ostiary_maintenance_leader",] == 1
    assert told["ostiary_messages_total", "delivered", "email"] == 5
    assert told["ostiary_outbox_messages", "dead"] == 2
    assert told["ostiary_outbox_oldest_pending_age_seconds",] == 1.5
    assert told["ostiary_http_answers_total", "POST", "/v1/login", "200"] == 1


def test_without_sources_the_requests_are_still_counted():
    """A process without background work tells of its requests and revocations."""
    told = samples(Metrics(RevocationSet(timedelta(seconds=10))))

    assert told == {("ostiary_revocations_live",): 0}


def test_the_dashboard_can_be_imported(dashboard):
    """It has a schema version, a data source to choose, and panels that all ask that one."""
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    ids = [panel["id"] for panel in dashboard["panels"]]

    assert dashboard["schemaVersion"] >= 36
    assert (dashboard["title"], dashboard["uid"]) == ("Ostiary", "ostiary")
    assert variables["datasource"]["query"] == "prometheus"
    assert len(set(ids)) == len(ids) > 12
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in panels)
    assert all(
        target["datasource"]["uid"] == "${datasource}" for panel in panels for target in panel["targets"]
    )


def test_no_two_panels_of_the_dashboard_overlap(dashboard):
    """Each cell of its grid belongs to one panel, and none is outside."""
    cells = [
        (column, line)
        for place in (panel["gridPos"] for panel in dashboard["panels"])
        for column in range(place["x"], place["x"] + place["w"])
        for line in range(place["y"], place["y"] + place["h"])
    ]

    assert len(set(cells)) == len(cells)
    assert max(column for column, _ in cells) == 23


def test_every_figure_of_the_dashboard_is_exposed(dashboard, metrics):
    """Each metric and each label it asks for is told by /metrics, and every metric of ours is shown."""
    asked = {name for text in expressions(dashboard) for name in re.findall(r"ostiary_\w+", text)}
    families = list(text_string_to_metric_families(metrics.exposition().decode()))
    told = {sample.name for family in families for sample in family.samples}
    labels = {label for family in families for sample in family.samples for label in sample.labels}
    grouped = {
        label.strip()
        for text in expressions(dashboard)
        for labels_of in re.findall(r"by \(([^)]*)\)", text)
        for label in labels_of.split(",")
    }

    assert asked <= told
    assert {name for name in told if not name.endswith("_created")} <= asked
    assert grouped <= labels | {"instance", "job"}


def test_the_routes_the_dashboard_names_exist(dashboard, tmp_path):
    """A renamed route would leave an empty panel."""
    from ostiary import Ostiary

    named = {route for text in expressions(dashboard) for route in re.findall(r'route="([^"]+)"', text)}

    assert named == {"/v1/login", "/v1/refresh", "/v1/register"}
    assert named <= {route.path for route in Ostiary(data=tmp_path).routes()}
