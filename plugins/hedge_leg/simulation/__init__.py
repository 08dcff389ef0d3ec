"""A deterministic world for the engine: seeded venues, host, clock, faults, crashes; nothing waits."""
