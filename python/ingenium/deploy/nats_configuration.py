"""Configuration of the NATS server of a deployment; its users are in a file beside it."""

from __future__ import annotations

from ingenium.deploy.deploy_plan import DeployPlan

__all__ = ["ACCESS_FILE", "LAME_DUCK_SECONDS", "nats_configuration"]

ACCESS_FILE = "access.conf"
"""File with accounts and users, which holds passwords."""
LAME_DUCK_SECONDS = 40
"""Seconds in which a server that ends sends its clients to another one."""


def nats_configuration(plan: DeployPlan, host: str) -> str:
    """Return the configuration.

    Args:
        plan: The deployment.
        host: Host name of a server by its number, with ``{}`` in that place; a server without a
            cluster when empty.
    """
    settings = plan.settings.nats
    routes = "".join(
        f'    "tls://{host.format(number)}:6222"\n' for number in range(settings.replicas)
    )
    cluster = f"""\
cluster {{
  name: "{plan.app}"
  listen: "0.0.0.0:6222"
  # Clients find the servers by the name of the service, which is in the certificate.
  no_advertise: true
  routes: [
{routes}  ]
  tls {{
    cert_file: "/run/secrets/nats-tls/tls.crt"
    key_file: "/run/secrets/nats-tls/tls.key"
    ca_file: "/run/secrets/nats-tls/ca.crt"
    # A route without a certificate of this deployment would go around all accounts.
    verify: true
    timeout: 5
  }}
}}
"""
    return f"""\
server_name: $POD_NAME
listen: "0.0.0.0:4222"
# For probes; network policies keep it from pods.
http: "0.0.0.0:8222"
pid_file: "/tmp/nats.pid"
max_payload: 1MB
max_subscriptions: 10000
max_pending: 32MB
write_deadline: "30s"
ping_interval: "10s"
ping_max: 3
lame_duck_grace_period: "10s"
lame_duck_duration: "30s"
tls {{
  cert_file: "/run/secrets/nats-tls/tls.crt"
  key_file: "/run/secrets/nats-tls/tls.key"
  timeout: 5
}}
jetstream {{
  store_dir: "/data"
  max_memory_store: {settings.memory_store}
  max_file_store: {settings.file_store}
  # What was acknowledged is on the disk of the servers, power failure or not.
  sync_interval: always
}}
{cluster if host and settings.replicas > 1 else ""}\
include "../secrets/nats-access/{ACCESS_FILE}"
"""
