"""Names of subjects and streams, and the subject grammar of NATS."""
