"""Makes docs/asyncapi.yaml and docs/asyncapi.html of the schemas: ``python -m asyncapi``."""
