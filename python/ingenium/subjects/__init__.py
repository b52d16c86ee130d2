"""The subjects and streams of the bus: their names, and what NATS allows as one."""
