"""People are told that something waits for them: by signed webhook, by ntfy."""
