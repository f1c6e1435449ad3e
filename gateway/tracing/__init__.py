"""Traces of requests, for OpenTelemetry: what a span says (pure), and sending them off (an extra)."""
