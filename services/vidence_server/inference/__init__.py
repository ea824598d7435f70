"""Models and the engine that runs them: where weights come from, sessions, queues, batches."""

import os

# ONNX Runtime's published builds collect telemetry on Linux too, from 1.29 on, unless this is set before the
# library is loaded. No document leaves the machine, and nothing about it does.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
