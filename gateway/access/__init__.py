"""Who may use the gateway, for what and how much: callers' own keys, virtual keys, scopes and limits."""
