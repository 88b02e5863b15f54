"""Pure mathematics on arrays: no spaces, no trials, no state."""
