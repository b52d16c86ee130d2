"""Kubernetes: manifests of an app, and kubectl, which applies them."""
