"""The suite over HTTP: SSE, WebSocket, uploads, pages, and the Envoy in front of it all."""
