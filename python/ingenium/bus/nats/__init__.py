"""The bus over NATS. Only here and in `nats_server` is NATS known."""
