"""Who calls, and what they may: credentials, scopes, tenants, limits; every service is behind it."""
