"""What a request does: Request in, actions out; pure and table-driven."""
