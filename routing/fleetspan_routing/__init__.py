"""What a task is worth: its complexity, as pure functions; the router comes later."""
