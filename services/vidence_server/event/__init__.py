"""The bus: durable publish and subscribe."""
