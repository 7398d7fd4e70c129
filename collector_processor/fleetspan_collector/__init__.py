"""The Fleetspan collector: receivers, journal, store, derivation and command."""
