"""Models and the engine that runs them: where weights come from, sessions, queues, batches."""
