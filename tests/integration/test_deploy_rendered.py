"""What `ingenium deploy kube` renders, run: three NATS servers, and a process for each pod."""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from support.deployed import Node, probe
from support.running import until

import ingenium as sdk
from ingenium.bus import NatsBus
from ingenium.bus.base import Message
from ingenium.bus.nats.credentials import options_for
from ingenium.components import load_app
from ingenium.config import Settings
from ingenium.deploy.deploy_plan import plan_app
from ingenium.deploy.deploy_secrets import make_secrets
from ingenium.deploy.deploy_settings import DeploySettings, NatsSettings
from ingenium.deploy.kube.manifests import manifests

APP = "examples/live/app.py"


async def first_execution(settings: Settings) -> str | None:
    """Return the side of the first execution."""
    options = options_for(settings, "operator")
    bus = await NatsBus.connect(settings.nats_server, options=options)
    try:
        got: asyncio.Future[sdk.ExecutionEvent] = asyncio.get_running_loop().create_future()

        def take(message: Message) -> None:
            if not got.done():
                got.set_result(sdk.decode(sdk.ExecutionEvent, message.payload))

        await bus.subscribe("ingenium.executor.execution", take)
        return (await asyncio.wait_for(got, 30)).side
    finally:
        await bus.close()


async def replicas_of_streams(settings: Settings) -> dict[str | None, int | None]:
    """Return the replicas of each stream; not while servers elect one that answers."""
    options = options_for(settings, "operator")
    bus = await NatsBus.connect(settings.nats_server, options=options)
    try:
        found = await bus.client.jetstream(timeout=20).streams_info()
        return {each.config.name: each.config.num_replicas for each in found}
    finally:
        await bus.close()


def test_rendered_app_trades_over_a_cluster_of_three_and_outlives_one_server(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    app = load_app(APP)
    plan = plan_app(app, APP, DeploySettings(nats=NatsSettings(file_store="2GB")))
    secrets = make_secrets(app, plan, Settings.from_environment({}), datetime.now(UTC))
    objects = json.loads(json.dumps(manifests(plan)))
    node = Node(tmp_path, objects, secrets, {"LIVE_SECONDS": "0.05"})
    workloads = {
        "live-feed": "Deployment",
        "live-sma-cross": "StatefulSet",
        "live-fixed-quantity": "StatefulSet",
        "live-paper": "StatefulSet",
        "live-dashboard": "StatefulSet",
    }
    with ExitStack() as stack:
        stack.enter_context(node.servers("live"))
        for name, kind in workloads.items():
            template = node.find(kind, name)["spec"]["template"]
            stack.enter_context(node.component(name, template))
        node.wait_ready()
        files = (
            node.pod_root(
                "live-dashboard",
                node.find("StatefulSet", "live-dashboard")["spec"]["template"]["spec"],
            )
            / "run/secrets"
        )
        operator = Settings.from_environment(
            {
                "NATS_SERVER": f"tls://localhost:{node.client_port}",
                "INGENIUM_NATS_CREDENTIALS": str(files / "nats/{role}"),
                "INGENIUM_NATS_CA": str(files / "nats-ca/ca.crt"),
            }
        )
        assert asyncio.run(first_execution(operator)) in {"buy", "sell"}
        replicas = asyncio.run(replicas_of_streams(operator))
        assert {name: replicas[name] for name in ("INGENIUM", "KV_ingenium_lease")} == {
            "INGENIUM": 3,
            "KV_ingenium_lease": 3,
        }
        for name in workloads:
            assert probe(node.health[name], "/livez") == (200, "ok\n")
            assert probe(node.health[name], "/metrics")[0] == 404
        # Two of three servers go on; the components of the third find no other in this test, as
        # a service would lead them to one.
        node.processes["live-nats-2"].kill()
        assert asyncio.run(first_execution(operator)) in {"buy", "sell"}
        node.processes["live-nats-0"].terminate()
        until(
            lambda: probe(node.health["live-paper"], "/readyz")[0] == 503,
            "an executor without a server is not ready",
        )
