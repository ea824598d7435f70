"""How any service runs: settings, logs, metrics, the gRPC server, health, streams, drain."""
