"""The rating study: stimuli, sessions, storage and statistics."""
