"""`vidence smoke`: every RPC and every HTTP path once."""
