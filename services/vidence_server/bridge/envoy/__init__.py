"""The configuration of Envoy, from the table of services and the protos; and the process itself."""
