"""The server around the page: its guard, its queue, its socket."""
